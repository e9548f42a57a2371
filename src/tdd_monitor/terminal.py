"""Text of others (node ids, messages, captured output) made safe for a terminal and for a shell.

A test's name may hold escape sequences that retitle the window, write to the clipboard or turn the
direction of reading round. Whatever goes to a terminal, or may be pasted into one, comes through here first.
"""

import re
import shlex
import unicodedata

# CSI, OSC (and DCS, SOS, PM, APC, which end the same way), and two-character sequences.
_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])"
)
# With "!", which a shell that is typed into may take for its history.
_SHELL_ESCAPES = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t", "!": r"\x21"}


def visible(text: str) -> str:
    """`text` with everything that a terminal would act on (or hide) written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        char if _is_shown(char) else char.encode("unicode_escape").decode("ascii") for char in text
    )


def plain_lines(text: str) -> list[str]:
    """Captured text as lines: without escape sequences, tabs expanded, other controls visible."""
    if "\x1b" in text:
        text = _SEQUENCE.sub("", text)
    return [visible(line.expandtabs(4) if "\t" in line else line) for line in text.split("\n")]


def shell_word(text: str) -> str:
    """`text` as one word of a shell, safe to paste and to look at.

    What is printable is quoted as `shlex` does it; with anything else the word is `$'...'`, which bash,
    zsh and ksh turn back into `text`, byte by byte.
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
    """The bytes of a character; of a lone surrogate, the byte of a file's name that it stands for."""
    handler = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
    return char.encode("utf-8", handler)


def _is_shown(char: str) -> bool:
    """True for what a terminal shows as it is: printable characters and spaces of any width."""
    return char.isprintable() or unicodedata.category(char) == "Zs"
