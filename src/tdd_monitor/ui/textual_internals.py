"""Access to private names of Textual, with a fallback where they are missing."""

from typing import Any

from textual.geometry import Region
from textual.widget import Widget


class _DiscardingWriter:
    """Replaces the driver's writer once the terminal has closed."""

    def write(self, text: str) -> None:
        """Discard the text."""

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def stop(self) -> None:
        """Do nothing: there is no thread."""


def can_suspend(app: Any) -> bool:
    """True if there is a shell that can resume the process."""
    return bool(getattr(getattr(app, "_driver", None), "can_suspend", False))


def discard_output(app: Any) -> bool:
    """Stop writing to the terminal; False if this version of Textual may block on it forever."""
    # The writer thread has died of a failed write: waiting for it to drain its queue would block forever.
    driver: Any = getattr(app, "_driver", None)
    if hasattr(driver, "_writer_thread"):
        driver._writer_thread = _DiscardingWriter()
        return True
    return bool(app.is_headless)


def show_border_subtitle(widget: Widget, subtitle: str) -> None:
    """Show a subtitle on the border and repaint only that line; setting it repaints the whole widget."""
    if hasattr(widget, "_border_subtitle") and widget.styles.border_bottom[0]:
        widget._border_subtitle = widget.render_str(subtitle)
        bottom = widget.outer_size.height - 1 - widget.content_offset.y
        widget.refresh(Region(0, bottom, widget.size.width, 1))
    else:
        widget.border_subtitle = subtitle
