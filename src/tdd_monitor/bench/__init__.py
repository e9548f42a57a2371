"""`tdd-monitor bench`: the toolkit's benchmark against the raw driver and the published figures."""
