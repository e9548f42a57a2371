"""What to do instead of debugging under the monitor, whose pytest has no terminal."""

import sys


def advice(nodeid: str) -> str:
    """Return the advice for a debugger opened in that test; "" means outside of tests."""
    from tdd_monitor.terminal import shell_word

    words = [shell_word(word) for word in (sys.executable, "-m", "pytest", "--pdb", nodeid) if word]
    return (
        "A debugger needs a terminal, and under tdd-monitor pytest has none: its input is empty. Run the test"
        " by itself in a shell: " + " ".join(words)
    )
