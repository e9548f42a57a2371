"""Random runs against a reference model, and streams that arrive damaged."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from support.lines import ANY_LINES, UNHURRIED
from support.scenarios import Model, Plan, plans, sessions, stream

from tdd_monitor.protocol.events import Line
from tdd_monitor.session import metrics, queries, reducer
from tdd_monitor.session.model import Delta, ItemState, Session
from tdd_monitor.verdict import Board

RANDOMS = st.randoms(use_true_random=False)
FEW = settings(UNHURRIED, max_examples=50)


def applied(lines: list[Line]) -> Session:
    session = Session()
    for line in lines:
        reducer.apply(session, line)
    return session


def check_against(model: Model, session: Session) -> None:
    assert {
        nodeid: (item.outcome, item.record_run, len(item.earlier), item.flaky)
        for nodeid, item in session.items.items()
    } == {
        nodeid: (known.outcome, known.run, known.reruns, known.outcome == "passed" and known.reruns > 0)
        for nodeid, known in model.items.items()
    }
    for item in session.items.values():
        assert item.state is (ItemState.DONE if item.outcome else ItemState.IDLE)
    assert +session.counts == model.counts


def check_run(plan: Plan, model: Model, session: Session) -> None:
    run = session.run
    assert run is not None
    assert (run.number, run.id, run.active, len(session.runs)) == (model.runs, plan.run, False, model.runs)
    assert +run.counts == model.run_counts
    assert (run.collected, run.expected) == (len(plan.collected), len(plan.collected))
    assert run.done == len(plan.scripts)
    assert set(run.lost_nodeids) == ({nodeid for _, nodeid in plan.hanging} if plan.lost else set())
    in_order = sorted((session.items[nodeid] for nodeid in plan.collected), key=lambda item: item.index)
    if plan.scope == "all":
        assert [item.nodeid for item in in_order] == list(plan.collected)


def check_invariants(session: Session) -> None:
    words: Counter[str] = Counter()
    for item in session.items.values():
        words.update(
            ["lost"] if item.outcome == "lost" else metrics.categories(item.record) if item.record else []
        )
        if session.run is None or not session.run.active:
            assert item.state in (ItemState.DONE, ItemState.IDLE)
    assert +session.counts == words
    assert min(session.counts.values(), default=0) >= 0
    for sort in queries.SORT_KEYS:
        assert sorted(queries.visible(session, sort=sort)) == sorted(session.items)
    left_s = queries.eta_s(session, session.now_ns)
    assert left_s is None or left_s >= 0
    assert sum(queries.durations(session).buckets) == queries.durations(session).count


@given(sessions(), RANDOMS)
@FEW
def test_complete_streams_end_as_the_model_says(runs: list[Plan], random: Random) -> None:
    session, model = Session(), Model()
    for plan in runs:
        for line in stream(plan, random):
            reducer.apply(session, line)
        model.follow(plan)
        check_against(model, session)
        check_run(plan, model, session)


@given(sessions(most=2), RANDOMS, st.data())
@FEW
def test_duplicate_lines_change_nothing(runs: list[Plan], random: Random, data: st.DataObject) -> None:
    session, model = Session(), Model()
    for plan in runs:
        lines = stream(plan, random)
        for again in data.draw(st.sets(st.integers(1, len(lines) - 2), max_size=4)):
            lines.insert(random.randint(again + 1, len(lines) - 1), lines[again])
        for line in lines:
            reducer.apply(session, line)
        model.follow(plan)
    check_against(model, session)
    check_run(runs[-1], model, session)


class Reader:
    """Follows a session by its deltas alone: only what they name is read again."""

    def __init__(self) -> None:
        self.items: dict[str, str] = {}
        self.order: list[str] = []
        self.run, self.samples = self.about_run(Session()), self.about_samples(Session())

    def follow(self, session: Session, delta: Delta) -> None:
        if delta.rows:
            self.order = queries.visible(session)
            self.items = {nodeid: self.items.get(nodeid, "") for nodeid in session.items}
        for nodeid in delta.items & session.items.keys():
            self.items[nodeid] = repr(session.items[nodeid])
        if delta.run:
            self.run = self.about_run(session)
        if delta.samples:
            self.samples = self.about_samples(session)

    @staticmethod
    def about_run(session: Session) -> str:
        workers = [
            (w.id, w.role, w.alive, w.crashed, w.running, w.finished) for w in session.workers.values()
        ]
        warnings = list(session.warnings)
        return repr((session.runs, sorted(workers), session.counts, session.shared_fixtures, warnings))

    @staticmethod
    def about_samples(session: Session) -> str:
        workers = [(w.id, w.rss_bytes, w.peak_rss_bytes) for w in session.workers.values() if w.rss_bytes]
        return repr((session.pools, session.memory, session.servers, sorted(workers)))

    def check(self, session: Session) -> None:
        assert self.order == queries.visible(session)
        assert self.items == {nodeid: repr(item) for nodeid, item in session.items.items()}
        assert self.run == self.about_run(session)
        assert self.samples == self.about_samples(session)


@given(sessions(), RANDOMS, st.data())
@FEW
def test_deltas_name_everything_that_changed(runs: list[Plan], random: Random, data: st.DataObject) -> None:
    lines = [line for plan in runs for line in stream(plan, random)]
    session, reader = Session(), Reader()
    for line in lines[: data.draw(st.integers(1, len(lines)))]:
        reader.follow(session, reducer.apply(session, line))
    reader.check(session)


@st.composite
def damaged(draw: st.DrawFn) -> list[Line]:
    """Lines of a session, some lost, duplicated, out of order or foreign, cut off somewhere."""
    random = draw(RANDOMS)
    lines = [line for plan in draw(sessions()) for line in stream(plan, random)]
    for _ in range(draw(st.integers(0, 6))):
        del lines[random.randrange(len(lines))]
        lines.insert(random.randrange(len(lines) + 1), random.choice(lines or [draw(ANY_LINES)]))
        lines.insert(random.randrange(len(lines) + 1), draw(ANY_LINES))
        lines.insert(random.randrange(len(lines)), lines.pop(random.randrange(len(lines))))
    return lines[: draw(st.integers(0, len(lines)))]


@given(damaged())
@FEW
def test_damaged_streams_leave_a_sound_session(lines: list[Line]) -> None:
    board, reader = Board(), Reader()
    for line in lines:
        reader.follow(board.session, board.apply(line))
    check_invariants(board.session)
    reader.check(board.session)
    assert board.of_test.keys() <= board.session.items.keys()
    assert set(board.over_threshold()) == set(board.of_test)
    assert {alert.subject for alert in board.alerts()} >= set(board.of_test)


@given(plans("run-0"), RANDOMS)
@FEW
def test_the_invariants_hold_after_every_line(plan: Plan, random: Random) -> None:
    session = Session()
    for line in stream(plan, random):
        reducer.apply(session, line)
        check_invariants(session)
