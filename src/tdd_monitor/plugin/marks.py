"""What is sent of a test's marks: the names of markers, and the thresholds that `tdd_threshold` sets.

Few tests have marks of other kinds than their neighbours, so what was found for one is kept for all tests of
the class or module that have markers of the same names.
"""

import linecache
import math
import os
import re
from typing import Any, Callable, Dict, Iterator, List, Set, Tuple

import pytest

from tdd_monitor.protocol.events import WarningRaised
from tdd_monitor.protocol.marks import MAX_THRESHOLD, PER_TEST, PYTEST_MARKS, THRESHOLD_MARK, OwnThreshold

Names = Tuple[str, ...]
Thresholds = Dict[str, OwnThreshold]
Found = Tuple[Names, Tuple[OwnThreshold, ...]]

_PYTESTMARK = re.compile(r"pytestmark\b")


class _Inherited:
    """The marks of a class, module or other parent, and what they add up to with those of its tests."""

    def __init__(self, names: Names, thresholds: Thresholds) -> None:
        self.names, self.thresholds = names, thresholds
        self.plain: Found = names, tuple(thresholds.values())
        self.found: Dict[Names, Found] = {}  # by the names of a test's own markers


class Marks:
    """Reads the marks of items; `warn` is called for a wrong `tdd_threshold`."""

    def __init__(self, warn: Callable[[WarningRaised], Any]) -> None:
        self._warn = warn
        self._parents: Dict[Any, _Inherited] = {}
        self._parent: Any = None  # of the last item
        self._inherited = _Inherited((), {})
        self._checked: Set[int] = set()  # tests made from one function share its marks

    def of(self, item: Any) -> Found:
        """Names of the item's markers, its own first, and its thresholds; the nearest mark wins."""
        if item.parent is not self._parent:
            self._parent, self._inherited = item.parent, self._inherited_from(item.parent)
        marks = item.own_markers
        if not marks:
            return self._inherited.plain
        own = tuple([mark.name for mark in marks])
        found = self._inherited.found.get(own)
        if found is None:
            names, thresholds = self._with(item, self._inherited)
            found = names, tuple(thresholds.values())
            if THRESHOLD_MARK not in own:
                self._inherited.found[own] = found
        return found

    def _inherited_from(self, node: Any) -> "_Inherited":
        known = self._parents.get(node)
        if known is None:
            above = self._inherited_from(node.parent) if node.parent is not None else _Inherited((), {})
            known = self._parents[node] = _Inherited(*self._with(node, above))
        return known

    def _with(self, node: Any, above: "_Inherited") -> Tuple[Names, Thresholds]:
        """The marks of a node added to those of its parents."""
        names, thresholds, marks = above.names, above.thresholds, node.own_markers
        own = [mark.name for mark in marks if mark.name not in PYTEST_MARKS]
        if own:
            names = tuple(dict.fromkeys([*own, *names]))
        # Parameters add theirs last, and so does the outermost decorator: the last one is the nearest.
        setting = [mark for mark in marks if mark.name == THRESHOLD_MARK]
        if setting:
            rule = _rule(node)
            thresholds = dict(thresholds)
            for mark in setting:
                for metric, value in self._valid(mark, node):
                    thresholds[metric] = OwnThreshold(metric, value, rule)
        return names, thresholds

    def _valid(self, mark: Any, node: Any) -> Iterator[Tuple[str, float]]:
        problems: List[str] = []
        if mark.args:
            problems.append("its thresholds must be named")
        for metric, value in mark.kwargs.items():
            if metric not in PER_TEST:
                problems.append("there is no threshold %s per test" % metric)
            elif not _is_threshold(value):
                problems.append("%s must be a number of 0 or more, not %s" % (metric, _shown(value)))
            else:
                yield metric, float(value)
        if problems and id(mark) not in self._checked:
            self._checked.add(id(mark))
            text = "%s of %s: %s. Valid names: %s."
            message = text % (THRESHOLD_MARK, node.nodeid, "; ".join(problems), ", ".join(PER_TEST))
            self._warn(WarningRaised(message, "tdd-monitor", node.nodeid))


def _is_threshold(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value < MAX_THRESHOLD


def _shown(value: Any) -> str:
    return "%.80r" % (value,) if type(value) in (int, float, str, bool) else "a " + type(value).__name__


def _rule(node: Any) -> str:
    """Which mark it is, as text for the user."""
    file, line = _place(node)
    what = node.name
    if isinstance(node, pytest.Class):
        what = "class " + node.name
    elif not isinstance(node, pytest.Item):
        what = "module" if isinstance(node, pytest.Module) else type(node).__name__.lower()
    return "%s of %s, %s" % (THRESHOLD_MARK, what, "%s:%d" % (file, line) if line else file)


def _place(node: Any) -> Tuple[str, int]:
    """File and line of the marked object, its decorators included; line 0 if it is unknown."""
    try:
        if isinstance(node, pytest.Item):
            file, line, _ = node.location
            return str(file), (line if line is not None else -1) + 1
        if isinstance(node, pytest.Module):
            return node.nodeid, _pytestmark_line(str(node.path))
        path, line, _ = node.reportinfo()
        return os.path.relpath(str(path), str(node.config.rootpath)), (line if line is not None else -1) + 1
    except Exception:  # noqa: BLE001 - the source may be missing; nodes of other plugins may have no place
        return node.nodeid.partition("::")[0], 0


def _pytestmark_line(path: str) -> int:
    lines = enumerate(linecache.getlines(path), 1)
    return next((number for number, line in lines if _PYTESTMARK.match(line)), 0)
