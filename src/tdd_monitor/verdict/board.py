"""The session and its alerts, kept in sync: the state that the screen and the reports read."""

from collections.abc import Sequence
from dataclasses import replace

from tdd_monitor.config import Override, Severity, Thresholds
from tdd_monitor.protocol.events import Collect, Line, RunFinish, RunLost, RunRequest
from tdd_monitor.session import reducer
from tdd_monitor.session.model import Delta, Item, Session, SharedFixture

from . import alerts
from .alerts import Alert
from .causes import merge_by_cause
from .limits import Limits, Rules
from .regressions import Judgement


class Board:
    """Applies lines to a session and judges what changed.

    `of_test` holds the alerts of each item that has any, by node id. `judgement` compares the last run with
    earlier ones; None until it has ended, or without a history.
    """

    def __init__(self, thresholds: Thresholds | None = None, overrides: Sequence[Override] = ()) -> None:
        self.session = Session()
        self.thresholds = thresholds or Thresholds()
        self._rules = Rules(self.thresholds, overrides)
        self.of_test: dict[str, list[Alert]] = {}
        self.judgement: Judgement | None = None

    def apply(self, line: Line) -> Delta:
        """Apply one line; returns what it changed in the session."""
        delta = reducer.apply(self.session, line)
        if isinstance(line.event, RunRequest):
            self.judgement = None
            self._rules.forget()
        for nodeid in delta.items:
            item = self.session.items.get(nodeid)
            if item is None or item.record is None:
                self.of_test.pop(nodeid, None)
            elif item.record is line.event or self._ran_before(item, line):
                self._judge(item, line.t_ns)
        if delta.rows:
            for nodeid in [nodeid for nodeid in self.of_test if nodeid not in self.session.items]:
                del self.of_test[nodeid]
        if isinstance(line.event, (RunFinish, RunLost)):
            self._judge_shared(line.t_ns, delta)
        return delta

    def _ran_before(self, item: Item, line: Line) -> bool:
        """Whether another worker ran it before this line said which marks it has."""
        run = self.session.run
        return isinstance(line.event, Collect) and run is not None and item.record_run == run.number

    def thresholds_of(self, nodeid: str) -> Thresholds:
        """The thresholds of a test."""
        return self._limits(nodeid).thresholds

    def _limits(self, nodeid: str) -> Limits:
        item = self.session.items.get(nodeid)
        return self._rules.of(item) if item is not None else self._rules.general

    def _judge(self, item: Item, t_ns: int) -> None:
        assert item.record is not None
        found = alerts.of_test(item.record, self._rules.of(item).thresholds, t_ns)
        if found:
            self.of_test[item.nodeid] = [self._with_rule(alert) for alert in found]
        else:
            self.of_test.pop(item.nodeid, None)

    def _with_rule(self, alert: Alert) -> Alert:
        rule = self._limits(alert.subject).rules.get(alert.metric, "")
        return replace(alert, rule=rule) if rule else alert

    def _judge_shared(self, t_ns: int, delta: Delta) -> None:
        """Judge shared fixtures at the end of a full run, when all their users are known."""
        run = self.session.run
        if run is None or run.active or run.scope != "all":
            return
        lives: dict[tuple[str, str, str], list[SharedFixture]] = {}
        for life in self.session.shared_fixtures.values():
            if life.run == run.number:
                use = life.use
                lives.setdefault((use.name, use.scope, use.baseid), []).append(life)
        for same in lives.values():
            for alert in alerts.of_shared(same, self.thresholds_of, t_ns):
                if alert.subject in self.session.items:
                    self.of_test.setdefault(alert.subject, []).append(self._with_rule(alert))
                    delta.items.add(alert.subject)

    def process_alerts(self) -> list[Alert]:
        """Alerts of pools, servers and processes, worst first."""
        now_ns = self.session.now_ns
        found = [
            a for pool in self.session.pools.values() for a in alerts.of_pool(pool, self.thresholds, now_ns)
        ]
        for server in self.session.servers.values():
            found += alerts.of_server(server, self.thresholds, now_ns)
        for worker in self.session.workers.values():
            found += alerts.of_worker(worker, self.thresholds, now_ns)
        return sorted(found, key=lambda a: (a.severity is not Severity.CRITICAL, -a.factor))

    def alerts(self) -> list[Alert]:
        """All alerts, merged by cause, worst first."""
        found = self.process_alerts()
        found += [alert for per_test in self.of_test.values() for alert in per_test]
        found = merge_by_cause(found)
        found.sort(key=lambda alert: (alert.severity is not Severity.CRITICAL, -alert.factor))
        return found

    def over_threshold(self) -> list[str]:
        """Node ids of the items over a threshold, in collection order."""
        items = [self.session.items[nodeid] for nodeid in self.of_test]
        return [item.nodeid for item in sorted(items, key=lambda item: item.index)]
