"""Standard output for reports: safe for a terminal, and never in the way of the run."""

import sys
from collections.abc import Iterable
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tdd_monitor.terminal import visible

PLAIN_WIDTH = 200


def make_console() -> Console:
    """Standard output. A log has no width of its own, and a node id that is cut cannot be pasted."""
    file = cast(IO[str], _Forgiving(sys.stdout))
    return SafeConsole(file=file) if sys.stdout.isatty() else SafeConsole(file=file, width=PLAIN_WIDTH)


class SafeConsole(Console):
    """Writes what a terminal would act on as an escape, whoever forgot to do it before."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as `rich` does, in safe text."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                yield Segment("\n".join(map(visible, text.split("\n"))), segment.style)


class _Forgiving:
    """A stream whose reader may go away and whose disk may be full: what cannot be written is dropped."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._broken = False

    def write(self, text: str) -> int:
        if not self._broken:
            try:
                self._stream.write(text)
            except OSError:
                self._broken = True
        return len(text)

    def flush(self) -> None:
        if not self._broken:
            try:
                self._stream.flush()
            except OSError:
                self._broken = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
