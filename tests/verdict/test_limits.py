"""Which thresholds a test has, and which rule set them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lines import UNHURRIED

from tdd_monitor.config import Override, Thresholds
from tdd_monitor.protocol.marks import OwnThreshold
from tdd_monitor.session.model import Item
from tdd_monitor.verdict.limits import Rules, nodeid_pattern, path_pattern

NODEID = "tests/integration/test_db.py::TestOrders::test_it[postgres-1]"


def limit(*overrides: Override, item: Item | None = None, metric: str = "test_duration_ms") -> object:
    """The threshold of a test and its rule."""
    limits = Rules(Thresholds(), overrides).of(item or Item(NODEID, 0, markers=("slow", "db")))
    return limits.thresholds.items()[metric], limits.rules.get(metric, "")


def override(place: str, value: float, **selectors: str) -> Override:
    return Override(place, **selectors, limits=(("test_duration_ms", value),))


@pytest.mark.parametrize(
    ("selectors", "selected"),
    [
        ({"path": "tests/integration/*"}, True),
        ({"path": "tests/*"}, False),
        ({"path": "tests/**"}, True),
        ({"path": "**/test_db.py"}, True),
        ({"path": "**/integration/**/test_d?.py"}, True),
        ({"path": "**"}, True),
        ({"path": "test_db.py"}, False),
        ({"path": "tests/integration"}, False),
        ({"nodeid": "*[postgres*"}, True),
        ({"nodeid": "*[postgres-?]"}, True),
        ({"nodeid": "*[[]postgres*"}, False),
        ({"nodeid": "*::TestOrders::*"}, True),
        ({"nodeid": "test_it"}, False),
        ({"marker": "slow"}, True),
        ({"marker": "slo"}, False),
        ({"path": "tests/**", "marker": "db", "nodeid": "*"}, True),
        ({"path": "tests/**", "marker": "fast"}, False),
        ({"path": "docs/**", "marker": "db"}, False),
    ],
)
def test_a_table_selects_what_matches_all_its_selectors(selectors: dict[str, str], selected: bool) -> None:
    expected = (500, "p:1") if selected else (100, "")
    assert limit(override("p:1", 500, **selectors)) == expected


def test_a_later_table_wins_metric_by_metric() -> None:
    both = Override("p:1", marker="slow", limits=(("test_duration_ms", 300), ("memory_usage_mb", 50)))
    tables = (both, override("p:5", 700, path="tests/**"), override("p:9", 900, path="docs/**"))
    assert limit(*tables) == (700, "p:5")
    assert limit(*tables, metric="memory_usage_mb") == (50, "p:1")
    assert limit(*tables, metric="repeated_queries") == (10, "")


def test_a_mark_wins_over_every_table_and_unknown_metrics_are_ignored() -> None:
    own = OwnThreshold("test_duration_ms", 20, "a mark"), OwnThreshold("of_the_future", 1, "a mark")
    item = Item(NODEID, 0, thresholds=own)
    assert limit(override("p:1", 500, path="**"), item=item) == (20, "a mark")


def test_limits_are_kept_until_the_marks_change() -> None:
    rules = Rules(Thresholds(), [override("p:1", 500, marker="slow")])
    item = Item(NODEID, 0, markers=("slow",))
    assert rules.of(item) is rules.of(item)
    assert rules.of(item) is rules.of(Item("other.py::t", 1, markers=("slow",)))
    item.markers = ()
    assert rules.of(item).thresholds.test_duration_ms == 100


NAMES = st.text("ab.[]/:-*?", max_size=8)


@UNHURRIED
@given(NAMES, NAMES, NAMES)
def test_every_text_between_two_others_matches_their_pattern(head: str, middle: str, tail: str) -> None:
    literal = [re.sub(r"[*?]", "x", part) for part in (head, tail)]
    assert re.fullmatch(nodeid_pattern("*".join(literal)), middle.join(literal))
    assert re.fullmatch(path_pattern("**".join(literal)), middle.join(literal)) or literal[1][:1] == "/"
    assert bool(re.fullmatch(path_pattern("*".join(literal)), middle.join(literal))) or "/" in middle


@UNHURRIED
@given(NAMES)
def test_a_pattern_without_wildcards_matches_only_itself(text: str) -> None:
    literal = re.sub(r"[*?]", "x", text)
    assert re.fullmatch(nodeid_pattern(literal), literal)
    assert not re.fullmatch(nodeid_pattern(literal), literal + "y")
