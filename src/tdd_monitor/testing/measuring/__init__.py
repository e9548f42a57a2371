"""Memory, performance, regressions and parallel tests: what a suite measures and coordinates itself."""
