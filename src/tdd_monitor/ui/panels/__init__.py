"""The parts of the main screen. What each says is a pure function of a View; the widgets only show it."""
