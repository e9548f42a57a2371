"""Standard output for reports: safe for a terminal; a failing write never ends the run."""

import sys
from collections.abc import Iterable
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tdd_monitor.terminal import visible

PLAIN_WIDTH = 200


def make_console() -> Console:
    """A console on standard output; wide in a log, so that node ids stay whole and can be pasted."""
    file = cast(IO[str], _Forgiving(sys.stdout))
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return SafeConsole(file=file, width=width, emoji=False)  # rich would replace ":x:" in foreign text


def print_text(text: str) -> None:
    """Print text that is safe already."""
    stream = _Forgiving(sys.stdout)
    stream.write(text)
    stream.flush()


class SafeConsole(Console):
    """Escapes control characters that callers did not escape."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as `rich` does, with control characters escaped."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                yield Segment("\n".join(map(visible, text.split("\n"))), segment.style)


class _Forgiving:
    """A stream that drops its output once a write fails: reader gone, disk full."""

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
