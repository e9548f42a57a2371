"""The benchmark of the toolkit's operations against their targets."""
