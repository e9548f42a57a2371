"""What the text of a failure says."""

import pytest

from tdd_monitor.session.tracebacks import Place, message, place

LONG = """\
    def test_it():
>       shop.total(1)

tests/test_it.py:4:
_ _ _ _ _ _ _
tests/test_it.py:4: in test_it
    shop.total(1)
{deepest}: ValueError
E   ValueError: no
E     such thing"""


@pytest.mark.parametrize(
    ("deepest", "found"),
    [
        ("shop/orders.py:88", Place("shop/orders.py", 88)),
        ("/shop/src/orders.py:88", Place("src/orders.py", 88)),
        ("/usr/lib/python3.12/decimal.py:9", Place("tests/test_it.py", 4)),
        ("../elsewhere/x.py:9", Place("tests/test_it.py", 4)),
        (".venv/lib/site-packages/asyncpg/pool.py:9", Place("tests/test_it.py", 4)),
        (r"shop\orders.py:88", Place("shop/orders.py", 88)),
    ],
)
def test_the_place_is_the_last_line_of_the_project(deepest: str, found: Place) -> None:
    assert place(LONG.format(deepest=deepest), "/shop", "/shop") == found


def test_names_of_files_start_from_the_directory_of_pytest() -> None:
    assert place("test_it.py:4: ValueError", "/shop", "/shop/tests") == Place("tests/test_it.py", 4)
    assert place("../src/a.py:4: ValueError", "/shop", "/shop/tests") == Place("src/a.py", 4)


def test_python_tracebacks_and_syntax_errors_have_places() -> None:
    assert place('  File "/shop/a b.py", line 7, in f\n    f()', "/shop") == Place("a b.py", 7)
    assert place('E     File "/shop/a.py", line 7\nE       x =', "/shop") == Place("a.py", 7)
    assert place("ValueError: no file:here", "/shop") is None


def test_the_message_is_what_pytest_marks_or_the_last_line() -> None:
    assert message(LONG) == "ValueError: no\n  such thing"
    assert message("Traceback:\n  File ...\nKeyError: 'x'\n") == "KeyError: 'x'"
    assert message("") == ""
    assert len(message("E   " + "x" * 9000)) == 2000
