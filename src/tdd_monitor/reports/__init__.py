"""What is left of a run when there is no screen: console lines, JSON."""
