"""Notices on how a run ended, where its counts do not show it."""

from collections.abc import Iterable, Iterator

from tdd_monitor.session.model import Run, Worker


def reason(output: Iterable[str]) -> str:
    """The line of pytest's output that most likely names the error, "" when it printed nothing."""
    lines = [line.strip() for line in output if line.strip()]
    errors = [line for line in lines if "error:" in line.lower() and "usage:" not in line]
    return (errors or lines or [""])[-1]


def exit_notices(run: Run, workers: Iterable[Worker], code: int, output: Iterable[str]) -> Iterator[str]:
    """Problems that the counts do not show; `code` is the exit code of the process."""
    error = reason(output)
    printed = f" It printed: {error}" if error else ""
    if run.hello is None:
        yield error or f"pytest exited with code {code} and no output."
        return
    if run.exitstatus is not None and run.exitstatus != code:
        yield (
            f"pytest reported exit code {run.exitstatus}, but its process exited with code {code}: "
            f"something failed after the last test.{printed}"
        )
    crashed = [worker.id for worker in workers if worker.crashed and worker.id]
    if crashed and not run.tested:
        which = "worker " + crashed[0] if len(crashed) == 1 else "workers " + ", ".join(crashed)
        yield f"xdist {which} died before the first test. Run without -n to see why.{printed}"
