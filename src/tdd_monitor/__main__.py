"""`python -m tdd_monitor`."""

from tdd_monitor.cli import main

main()
