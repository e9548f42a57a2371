"""What the panels and screens are made of: painted lines, rows with a cursor, the line of keys."""

from .footer import KeyLine
from .lines import LinesView
from .painted import Painted, PaintedLines, Palette
from .rows import RowsView
from .tabs import TabLine

__all__ = ["KeyLine", "LinesView", "Painted", "PaintedLines", "Palette", "RowsView", "TabLine"]
