"""Location of the style sheets: in the package when installed, at the top of a checkout otherwise."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def css_paths() -> list[Path]:
    """All style sheets, in loading order."""
    for directory in (_PACKAGE / "css", _PACKAGE.parent.parent / "css"):
        found = sorted(directory.glob("*.tcss"))
        if found:
            return found
    raise FileNotFoundError(
        f"No style sheets (*.tcss) in {_PACKAGE / 'css'}: the installation is incomplete; "
        "install tdd-monitor again."
    )
