"""Conditions that affect figures besides the code: runs of different environments are never compared."""

import functools
import platform
from pathlib import Path
from typing import NamedTuple

from tdd_monitor.session.model import Session


class Environment(NamedTuple):
    """The conditions of a run. Two runs are comparable only if all of them are equal."""

    cpu: str  # model of the processor
    python: str  # major and minor version of the tests' interpreter
    plugins: str  # names of pytest's installed plugins, sorted
    workers: int  # xdist workers; 0 without xdist
    warm: bool  # started from a process that had already imported modules
    instruments: str  # what slows the tests down to measure them: tracemalloc, gc, coverage

    def __str__(self) -> str:
        workers = f"{self.workers} workers" if self.workers else "one process"
        start = "warm" if self.warm else "cold"
        parts = (self.cpu, f"Python {self.python}", workers, start, self.instruments)
        return ", ".join(filter(None, parts))


def of_run(session: Session) -> Environment | None:
    """The environment of the current run; None if pytest never sent hello."""
    run = session.run
    if run is None or run.hello is None:
        return None
    hello = run.hello
    workers = sum(worker.role == "worker" and not worker.crashed for worker in session.workers.values())
    tracing = ["coverage"] if hello.traced else []
    memory = [hello.memory_mode] if hello.memory_mode not in ("", "rss") else []
    return Environment(
        cpu=cpu_model(),
        python=".".join(hello.python.split(".")[:2]),
        plugins=" ".join(sorted(hello.plugins)),
        workers=workers,
        warm=False,
        instruments=" ".join(memory + tracing),
    )


@functools.cache
def cpu_model() -> str:
    """The processor's model name, or its architecture where the system does not say."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    except OSError:
        pass
    return platform.processor() or platform.machine()
