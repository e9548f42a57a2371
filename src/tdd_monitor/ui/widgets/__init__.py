"""Building blocks of panels and screens: painted lines, rows with a cursor, tabs, the footer."""

from .footer import KeyLine
from .lines import LinesView
from .painted import Painted, PaintedLines, Palette
from .rows import RowsView
from .tabs import TabLine

__all__ = ["KeyLine", "LinesView", "Painted", "PaintedLines", "Palette", "RowsView", "TabLine"]
