"""Reports of a run without a screen: console, JSON."""
