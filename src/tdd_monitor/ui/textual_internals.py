"""The private names of Textual that the screen uses, and what it does without them."""

from typing import Any


class _NoWriter:
    """Takes the place of the driver's writer once there is no terminal to write to."""

    def write(self, text: str) -> None:
        """Forget it."""

    def flush(self) -> None:
        """Nothing waits."""

    def stop(self) -> None:
        """Nothing is left to do."""


def can_suspend(app: Any) -> bool:
    """Tell whether there is a shell that can continue the process."""
    return bool(getattr(getattr(app, "_driver", None), "can_suspend", False))


def forget_terminal(app: Any) -> bool:
    """Write to the terminal no more; False when this Textual may wait for it for ever."""
    # The driver's thread has died of a write, and whoever waits for it to write more waits for ever.
    driver: Any = getattr(app, "_driver", None)
    if hasattr(driver, "_writer_thread"):
        driver._writer_thread = _NoWriter()
        return True
    return bool(app.is_headless)
