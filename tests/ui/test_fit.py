"""Header, banner, panels and tabs: for every stream, they fit their width and show nothing unsafe."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.lines import ANY_LINES

from tdd_monitor.protocol.events import Line
from tdd_monitor.ui.text.parts import width_of
from ui.content import PANELS, STREAMS, check, text, view_of


@pytest.mark.parametrize("name", STREAMS)
def test_everything_fits_its_width(name: str) -> None:
    view = view_of(STREAMS[name]())
    for width in (57, 63, 77, 97, 117, 158, 197):
        check(view, width, 7)


@pytest.mark.parametrize("name", STREAMS)
def test_panels_fit_a_third_of_a_screen(name: str) -> None:
    view = view_of(STREAMS[name]())
    for width in (36, 37, 48):
        for panel_name, module in PANELS.items():
            for row in module.rows(view, width, 7):
                assert width_of(row.parts) <= width, (panel_name, width, text([row]))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANY_LINES, max_size=25), st.sampled_from([57, 80, 120]), st.integers(1, 30))
def test_no_stream_breaks_the_panels(lines: list[Line], width: int, height: int) -> None:
    check(view_of(lines, notices=("a notice\nof two lines",)), width, height, fits=False)
