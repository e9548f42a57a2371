"""`tdd-monitor bench`: the toolkit's benchmark beside the raw driver and the published figures."""
