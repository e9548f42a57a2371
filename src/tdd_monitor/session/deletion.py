"""Items that are no longer collected, and their counts."""

from . import metrics
from .model import Delta, Item, Run, Session


def forget_deleted(session: Session, run: Run, delta: Delta) -> None:
    """Drop items that are no longer collected.

    Called when pytest has accepted what it collected: at the first test or the end. Once anything
    failed to be collected, only files of which something was collected are judged.
    """
    if not run.collected_all:
        return
    run.collected_all = False
    unseen = [item for item in session.items.values() if item.seen_run != run.number]
    if run.scope != "all":
        files = frozenset(run.files)
        unseen = [item for item in unseen if file_of(item.nodeid) in files]
    if unseen and run.collect_errors:
        sound = {file_of(item.nodeid) for item in session.items.values() if item.seen_run == run.number}
        sound -= {file_of(error.nodeid) for error in run.collect_errors}
        unseen = [item for item in unseen if file_of(item.nodeid) in sound]
    if len(unseen) <= _newly_deselected(session, run):
        return  # left out by --lf or a new -k, not deleted
    for item in unseen:
        uncount(session, item)
        del session.items[item.nodeid]
        delta.rows = True
    if unseen:
        session.shared_fixtures = {
            key: use for key, use in session.shared_fixtures.items() if key[2] in session.items
        }


def _newly_deselected(session: Session, run: Run) -> int:
    """Return how many more items this run deselected than the previous one with the same request."""
    same = (r for r in reversed(session.runs[:-1]) if (r.scope, r.files) == (run.scope, run.files))
    before = next(same, None)
    return run.deselected - (before.deselected if before is not None else 0)


def uncount(session: Session, item: Item) -> None:
    """Subtract an item's outcome from the session's counts."""
    if item.outcome == "lost":
        session.counts["lost"] -= 1
    elif item.record is not None:
        session.counts.subtract(metrics.categories(item.record))


def file_of(nodeid: str) -> str:
    """Return the file part of a node id."""
    return nodeid.partition("::")[0]
