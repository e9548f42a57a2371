from collections import Counter

import pytest

from tdd_monitor.ui import actions
from tdd_monitor.ui.screens.help import rows
from tdd_monitor.ui.widgets.footer import chosen, line

EVERYTHING = frozenset(actions.NEEDS)
PLACES = ("main", "detail", "pages", "fixture", "rows", "app")


def text_of(parts: object) -> str:
    return " ".join(text for text, _role in parts)  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", actions.ACTIONS, ids=lambda action: action.id)
def test_every_action_is_complete(action: actions.Action) -> None:
    assert action.id.partition(".")[0] in actions.GROUPS
    assert action.keys and action.method and action.label and action.help
    assert set(action.where) <= set(PLACES)
    assert set(action.needs) <= set(actions.NEEDS)
    assert f"{' '.join(action.key_names())} " in text_of([p for r in rows(EVERYTHING, 300) for p in r.parts])
    assert action.help in actions.markdown()


def test_ids_and_methods_are_unique() -> None:
    assert max(Counter(action.id for action in actions.ACTIONS).values()) == 1
    assert max(Counter(action.method for action in actions.ACTIONS).values()) == 1


@pytest.mark.parametrize("screen", ["main", "detail", "pages", "fixture"])
def test_no_key_means_two_things_on_one_screen(screen: str) -> None:
    keys = [
        key
        for action in actions.ACTIONS
        if {screen, "rows", "app"} & set(action.where)
        for key in action.keys.split(",")
    ]
    assert [key for key, count in Counter(keys).items() if count > 1] == []


@pytest.mark.parametrize("place", PLACES)
def test_bindings_carry_id_key_and_tooltip(place: str) -> None:
    bindings = actions.bindings(place)
    assert bindings
    for binding in bindings:
        assert not isinstance(binding, tuple)
        assert binding.id and binding.key and binding.tooltip and binding.description


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200])
def test_the_footer_shows_complete_available_keys_and_help(width: int) -> None:
    facts = EVERYTHING - {"can_run", "failed"}
    usable = actions.usable(("main", "rows", "app"), facts)
    shown = chosen(usable, width)
    assert len(text_of(line(shown))) - 2 * len(shown) + 1 <= width
    assert {action.id for action in shown} <= {action.id for action in usable}
    assert not any("can_run" in action.needs for action in shown)
    assert "monitor.help" in {action.id for action in shown}
    assert shown == sorted(shown, key=actions.ACTIONS.index)


def test_a_refusal_gives_the_first_reason() -> None:
    failed = actions.find("run_failed")
    assert failed is not None
    assert actions.refusal(failed, frozenset()) == actions.NEEDS["can_run"]
    assert actions.refusal(failed, frozenset({"can_run"})) == actions.NEEDS["failed"]
    assert actions.refusal(failed, EVERYTHING) == ""


def test_help_explains_why_a_key_is_unavailable() -> None:
    text = text_of([part for row in rows(frozenset({"can_run"}), 300) for part in row.parts])
    assert "(not now: No failures)" in text
    assert "(not now: This is a recording" not in text


def test_the_readme_table_has_one_line_per_action() -> None:
    lines = actions.markdown().splitlines()
    assert len(lines) == 2 + len(actions.GROUPS) + len(actions.ACTIONS)
    assert "| `j` `down` | Next row |" in lines
