import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tdd_monitor.ui.text import format

TEXTS = st.text(max_size=60)
WIDTHS = st.integers(1, 60)


@given(TEXTS, WIDTHS)
def test_fit_fills_its_cells_exactly(text: str, width: int) -> None:
    shown = format.visible(text)
    assert cell_len(format.fit(shown, width)) == width
    assert cell_len(format.fit(shown, width, right=True)) == width


@given(TEXTS, st.integers(2, 60))
def test_names_stay_within_their_cells_and_on_their_line(text: str, width: int) -> None:
    name = format.name(text, width)
    assert cell_len(name) <= width
    assert name == format.visible(name)
    assert cell_len(format.short(text, width)) <= width


@given(st.text(max_size=300), st.integers(4, 60))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    shown = format.visible(text)
    lines = format.wrap(shown, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(shown.split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("right\u202eleft", r"right\u202eleft"),
        ("寿司 [red]", "寿司 [red]"),
        ("hard\xa0space", "hard\xa0space"),
    ],
)
def test_control_sequences_are_escaped(text: str, shown: str) -> None:
    assert format.visible(text) == shown


def test_captured_text_loses_its_colours_and_keeps_its_lines() -> None:
    assert format.plain_lines("\x1b[1;31mE  boom\x1b[0m\n\tx\r\n") == ["E  boom", r"    x\r", ""]


@pytest.mark.parametrize(
    ("nodeid", "width", "name"),
    [
        ("tests/unit/test_a.py::test_b", 40, "tests/unit/test_a.py::test_b"),
        ("tests/unit/test_a.py::test_b", 22, "…/test_a.py::test_b"),
        ("tests/unit/test_catalog.py::test_b", 20, "…_catalog.py::test_b"),
        ("tests/unit/test_catalog.py::test_long_name", 18, "test_long_name"),
        ("tests/unit/test_catalog.py::test_long_name", 10, "test_…name"),
        ("tests/unit/test_catalog.py::test_long_name[7-b]", 22, "test_long_name[7-b]"),
        ("tests/unit/test_catalog.py::test_long_name[7-b]", 15, "test_…name[7-b]"),
        ("t.py::TestCatalog::test_long_name[7-b]", 20, "TestCat…ng_name[7-b]"),
        ("t.py::test_long_name[a-long-parameter-1]", 20, "tes…ame[a-lon…ter-1]"),
        ("tests/unit/test_catalog.py", 12, "…_catalog.py"),
        ("tests/unit/test_catalog.py", 11, "…catalog.py"),
    ],
)
def test_a_name_keeps_its_most_distinctive_part(nodeid: str, width: int, name: str) -> None:
    assert format.name(nodeid, width) == name


def test_a_name_of_five_thousand_characters_is_cut_at_once() -> None:
    assert format.name("t.py::test[" + "x" * 5000 + "]", 30) == "test[" + "x" * 12 + "…" + "x" * 11 + "]"


PARAMETERS = st.text(st.characters(exclude_characters="[]"), min_size=1, max_size=20)


@given(st.text(st.characters(exclude_characters="[]:"), max_size=80), PARAMETERS, PARAMETERS, WIDTHS)
def test_names_that_differ_in_their_parameters_look_different(
    function: str, one: str, other: str, width: int
) -> None:
    widest = max(cell_len(format.visible(parameters)) for parameters in (one, other))
    assume(format.visible(one) != format.visible(other) and widest + 2 + format.HEAD_MIN <= width)
    nodeids = [f"tests/unit/t.py::{function}[{parameters}]" for parameters in (one, other)]
    assert format.name(nodeids[0], width) != format.name(nodeids[1], width)
    assert format.short(nodeids[0], width) != format.short(nodeids[1], width)


@pytest.mark.parametrize(
    ("nodeid", "short"),
    [
        ("a/t.py::TestX::test_y[a::b]", "test_y[a::b]"),
        ("a/t.py::test_y", "test_y"),
        ("a/t.py", "a/t.py"),
    ],
)
def test_the_short_name_is_the_function(nodeid: str, short: str) -> None:
    assert format.short(nodeid) == short


@given(st.text(max_size=30), st.integers(-20, 40))
def test_the_end_of_a_text_fits_any_width_even_zero(text: str, width: int) -> None:
    cut = format.cut_left(text, width)
    assert cell_len(cut) <= max(0, width)
    assert text.endswith(cut.removeprefix(format.ELLIPSIS))
