"""A monitor that gives an interrupted pytest more time: on a busy machine 5 s are not enough."""

import sys

GRACE_S = 60
_RUN = (
    "from tdd_monitor.runner.pytest_process import process\n"
    f"process.INTERRUPT_GRACE_S = process.TERMINATE_GRACE_S = {GRACE_S}\n"
    "from tdd_monitor.cli import main\n"
    "main()"
)
PATIENT_MONITOR = (sys.executable, "-c", _RUN)
