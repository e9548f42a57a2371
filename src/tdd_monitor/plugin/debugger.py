"""Advice for debugging: pytest has no terminal under the monitor."""

import sys


def advice(nodeid: str) -> str:
    """Return the advice for a debugger opened in that test; "" for one opened outside tests."""
    from tdd_monitor.terminal import shell_word

    words = [shell_word(word) for word in (sys.executable, "-m", "pytest", "--pdb", nodeid) if word]
    return (
        "A debugger needs a terminal, but under tdd-monitor pytest has none (its input is empty)."
        " Run the test by itself in a shell: " + " ".join(words)
    )
