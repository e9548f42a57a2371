"""Makes foreign text (node ids, messages, captured output) safe for a terminal and a shell.

A test's name may contain escape sequences that retitle the window, write to the clipboard or reverse the
text direction. Everything that goes to a terminal, or may be pasted into one, is escaped here first.
"""

import re
import shlex
import unicodedata

# CSI, OSC (and DCS, SOS, PM, APC, which end the same way), and two-character sequences.
_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])"
)
# Including "!", which an interactive shell may expand from its history.
_SHELL_ESCAPES = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t", "!": r"\x21"}


def visible(text: str) -> str:
    """Return `text` with everything that a terminal would interpret (or hide) escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if _is_shown(char) else char.encode("unicode_escape").decode("ascii") for char in text
    )


def plain_lines(text: str) -> list[str]:
    """Return captured text as lines: no escape sequences, tabs expanded, other controls visible."""
    if "\x1b" in text:
        text = _SEQUENCE.sub("", text)
    return [visible(line.expandtabs(4) if "\t" in line else line) for line in text.split("\n")]


def shell_word(text: str) -> str:
    """Return `text` as one shell word, safe to paste and to display.

    Printable text is quoted by `shlex`; anything else becomes `$'...'`, which bash, zsh and ksh turn
    back into `text`, byte by byte.
    """
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_shell_escape, text)) + "'"


def _shell_escape(char: str) -> str:
    if char in _SHELL_ESCAPES:
        return _SHELL_ESCAPES[char]
    if _is_shown(char):
        return char
    return "".join(f"\\x{byte:02x}" for byte in _bytes(char))


def _bytes(char: str) -> bytes:
    """Return the bytes of a character; for a lone surrogate, the file name's byte that it stands for."""
    handler = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
    return char.encode("utf-8", handler)


def _is_shown(char: str) -> bool:
    """Return whether a terminal shows the character as is: printable, or a space of any width."""
    return char.isprintable() or unicodedata.category(char) == "Zs"
