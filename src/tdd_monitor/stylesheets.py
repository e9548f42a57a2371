"""Location of the style sheets: in the package when installed, at the top of a checkout otherwise."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def find(pattern: str) -> list[Path]:
    """The style sheets whose names match, in order. Raises FileNotFoundError if there is none."""
    for directory in (_PACKAGE / "css", _PACKAGE.parent.parent / "css"):
        found = sorted(directory.glob(pattern))
        if found:
            return found
    raise FileNotFoundError(
        f"No style sheets ({pattern}) in {_PACKAGE / 'css'}: the installation is incomplete; "
        "install tdd-monitor again."
    )
