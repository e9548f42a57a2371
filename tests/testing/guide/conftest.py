"""For annotations: what the fixture `run_pytest` gives."""

import subprocess
from collections.abc import Callable

Run = Callable[..., "subprocess.CompletedProcess[str]"]
