"""Runs the supervisor when this directory is given to Python as a script."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    # Last, so that no module next to this package can shadow one of the standard library.
    sys.path[:] = [*(place for place in sys.path if place != str(here)), str(here.parent)]
    import_module(f"{here.name}.supervisor").main()
