"""Style sheets, parsed once for all applications of a test process."""

from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet

_parsed: dict[Any, Any] = {}


def share_parsed_styles(patch: pytest.MonkeyPatch) -> None:
    """Keep what a style sheet parses to, for the next one with the same variables.

    Textual keeps it for one style sheet only, so for one application.
    """
    original = getattr(Stylesheet, "_parse_rules", None)
    if original is None:
        return

    def parse_once(sheet: Any, css: str, *where: Any, **kinds: Any) -> Any:
        key = (css, where, tuple(kinds.items()), tuple(sheet._variables.items()))
        if key not in _parsed:
            _parsed[key] = original(sheet, css, *where, **kinds)
        return _parsed[key]

    patch.setattr(Stylesheet, "_parse_rules", parse_once)
