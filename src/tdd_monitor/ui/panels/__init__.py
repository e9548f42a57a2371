"""The parts of the main screen. The content of each is a pure function of a View; widgets only show it."""
