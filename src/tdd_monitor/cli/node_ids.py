"""Tests named on the command line."""

from collections.abc import Sequence

import click

MAX_SUGGESTIONS = 20


def the_one(test: str, nodeids: Sequence[str]) -> str:
    """The node id that equals or contains `test`. Raises ClickException unless there is exactly one."""
    found = [nodeid for nodeid in nodeids if test in nodeid]
    if test in found or len(found) == 1:
        return test if test in found else found[0]
    if not found:
        raise click.ClickException(f"No test with {test!r} in its name has run in this project.")
    shown = "\n".join(f"  {nodeid}" for nodeid in found[:MAX_SUGGESTIONS])
    more = f"\n  and {len(found) - MAX_SUGGESTIONS} more" if len(found) > MAX_SUGGESTIONS else ""
    raise click.ClickException(f"{len(found)} tests have {test!r} in their names:\n{shown}{more}")
