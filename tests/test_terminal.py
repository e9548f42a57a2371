"""Whatever others wrote, a terminal does not act on it, and a shell takes it for the word that it is."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdd_monitor import terminal
from tdd_monitor.runner.selection import shell_command

HOSTILE = (
    "\x1b]0;owned\x07",  # the window's title
    "\x1b]52;c;cm0gLXJmIH4=\x07",  # the clipboard
    "\x1b]52;c;cm0gLXJmIH4=\x1b\\",
    "\x1b[2J\x1b[H",  # a cleared screen
    "\x1bc",  # a reset terminal
    '\x1bP$q"p\x1b\\',  # a question that the terminal answers, as if it were typed
    "\x9b31m",  # an escape sequence in one byte
    "name\u202e[gnp.exe]\u202c",  # read from right to left
    "two\nlines; rm -rf ~\n",
    "'; $(reboot) `reboot` !! $HOME \\",
    "tab\tnul-free\r",
    "zero\u200bwidth \u3000 wide",
)
# No command can be given a NUL, and a lone surrogate is no character.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_terminal_acts_on_is_left(text: str) -> None:
    for shown in (terminal.visible(text), *terminal.plain_lines(text), terminal.shell_word(text)):
        assert all(terminal.visible(char) == char for char in shown)


@given(st.text(max_size=50))
def test_what_is_visible_stays_as_it_is(text: str) -> None:
    shown = terminal.visible(text)
    assert terminal.visible(shown) == shown and terminal.plain_lines(shown) == [shown]
    assert shown == text or not text.isprintable()


def test_lines_lose_their_colours_and_keep_their_words() -> None:
    text = "\x1b[31;1mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07\n\tindented \x07bell"
    assert terminal.plain_lines(text) == ["red link", "    indented \\x07bell"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@settings(max_examples=20, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=50))
def test_a_shell_reads_a_word_as_the_text_that_it_was(texts: list[str]) -> None:
    texts += HOSTILE
    script = "printf '%s\\0' " + " ".join(map(terminal.shell_word, texts))
    run = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert run.stdout.decode().split("\0")[:-1] == texts


def test_bytes_of_a_file_name_that_is_not_utf8_are_kept() -> None:
    assert terminal.shell_word("test_\udce9.py") == r"$'test_\xe9.py'"
    assert terminal.shell_word("\ud800") == r"$'\xed\xa0\x80'"


def test_a_command_names_its_tests_without_raw_sequences() -> None:
    command = shell_command("python", ["tests/test_a.py::test[\x1b]0;owned\x07]", "a b"], ["-q"])
    assert command == r"python -m pytest -q $'tests/test_a.py::test[\x1b]0;owned\x07]' 'a b'"
