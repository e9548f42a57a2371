"""Which thresholds apply to a test: its own marks first, then the overrides, then the general ones."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tdd_monitor.config import Override, Thresholds
from tdd_monitor.session.deletion import file_of
from tdd_monitor.session.model import Item


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds of one test."""

    thresholds: Thresholds
    rules: Mapping[str, str]  # by metric, where its threshold was set; not for general ones


class Rules:
    """Finds the limits of each test; kept until its marks change, since every frame asks for them."""

    def __init__(self, general: Thresholds, overrides: Sequence[Override] = ()) -> None:
        self.general = Limits(general, {})
        self._overrides = [_Selector(override) for override in overrides]
        self._known: dict[str, tuple[Sequence[object], Limits]] = {}
        self._distinct: dict[Sequence[object], Limits] = {}

    def of(self, item: Item) -> Limits:
        """The limits of this test."""
        if not self._overrides and not item.thresholds:
            return self.general
        marks = (item.markers, item.thresholds)
        known = self._known.get(item.nodeid)
        if known is None or known[0] != marks:
            known = self._known[item.nodeid] = marks, self._found(item)
        return known[1]

    def forget(self) -> None:
        """Drop what is kept: a new run may have other tests."""
        self._known.clear()
        self._distinct.clear()

    def _found(self, item: Item) -> Limits:
        selected = tuple(each.override for each in self._overrides if each.selects(item))
        case = (selected, item.thresholds)
        limits = self._distinct.get(case)
        if limits is None:  # many tests, few combinations
            limits = self._distinct[case] = self._combined(selected, item)
        return limits

    def _combined(self, selected: Sequence[Override], item: Item) -> Limits:
        values: dict[str, float] = {}
        rules: dict[str, str] = {}
        for override in selected:
            values.update(override.limits)
            rules.update((metric, override.place) for metric, _limit in override.limits)
        known = self.general.thresholds.items()
        for own in item.thresholds:
            if own.metric in known and own.value >= 0:  # another version of the plugin may know more
                values[own.metric], rules[own.metric] = own.value, own.rule
        return Limits(replace(self.general.thresholds, **values), rules)


class _Selector:
    """The selectors of an override, compiled."""

    def __init__(self, override: Override) -> None:
        self.override = override
        self._path = re.compile(path_pattern(override.path), re.DOTALL) if override.path else None
        self._nodeid = re.compile(nodeid_pattern(override.nodeid), re.DOTALL) if override.nodeid else None

    def selects(self, item: Item) -> bool:
        """Whether all selectors match."""
        if self._path is not None and not self._path.fullmatch(file_of(item.nodeid)):
            return False
        if self._nodeid is not None and not self._nodeid.fullmatch(item.nodeid):
            return False
        return not self.override.marker or self.override.marker in item.markers


def nodeid_pattern(pattern: str) -> str:
    """As a regular expression: * is any text, ? any character, everything else itself, brackets too."""
    return _translated(re.findall(r"\*+|\?|[^*?]+", pattern), {"?": "."})


def path_pattern(pattern: str) -> str:
    """As a regular expression: * and ? are within a directory, ** any number of directories."""
    wildcards = {"?": "[^/]", "*": "[^/]*", "**/": "(?:.*/)?"}
    return _translated(re.findall(r"\*\*/|\*+|\?|[^*?]+", pattern), wildcards)


def _translated(parts: Sequence[str], wildcards: Mapping[str, str]) -> str:
    return "".join(wildcards.get(part) or (".*" if part[0] == "*" else re.escape(part)) for part in parts)
