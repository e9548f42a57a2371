"""The session and its alerts, kept in sync: the state that the screen and the reports read."""

from tdd_monitor.config import Severity, Thresholds
from tdd_monitor.protocol.events import FinishedTest, Line, RunFinish, RunLost, RunRequest
from tdd_monitor.session import reducer
from tdd_monitor.session.model import Delta, Session, SharedFixture

from . import alerts
from .alerts import Alert
from .causes import merge_by_cause
from .regressions import Judgement


class Board:
    """Applies lines to a session and judges what changed.

    `of_test` holds the alerts of each item that has any, by node id. `judgement` compares the last run with
    earlier ones; None until it has ended, or without a history.
    """

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self.session = Session()
        self.thresholds = thresholds or Thresholds()
        self.of_test: dict[str, list[Alert]] = {}
        self.judgement: Judgement | None = None

    def apply(self, line: Line) -> Delta:
        """Apply one line; returns what it changed in the session."""
        delta = reducer.apply(self.session, line)
        if isinstance(line.event, RunRequest):
            self.judgement = None
        for nodeid in delta.items:
            item = self.session.items.get(nodeid)
            if item is None or item.record is None:
                self.of_test.pop(nodeid, None)
            elif item.record is line.event:
                self._judge(item.record, line.t_ns)
        if delta.rows:
            for nodeid in [nodeid for nodeid in self.of_test if nodeid not in self.session.items]:
                del self.of_test[nodeid]
        if isinstance(line.event, (RunFinish, RunLost)):
            self._judge_shared(line.t_ns, delta)
        return delta

    def _judge(self, record: FinishedTest, t_ns: int) -> None:
        found = alerts.of_test(record, self.thresholds, t_ns)
        if found:
            self.of_test[record.nodeid] = found
        else:
            self.of_test.pop(record.nodeid, None)

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
            for alert in alerts.of_shared(same, self.thresholds, t_ns):
                if alert.subject in self.session.items:
                    self.of_test.setdefault(alert.subject, []).append(alert)
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
