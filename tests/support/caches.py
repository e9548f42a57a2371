"""Cache directories for embedded servers of a test's own."""

import subprocess
import tempfile
from pathlib import Path


def copy_data(source: Path, target: Path) -> None:
    """Copy the data directories of a cache, which their account owns."""
    for data in source.glob("postgres-[0-9]*"):
        subprocess.run(["cp", "-a", str(data), str(target)], check=True)


def new_cache() -> Path:
    """Create an empty cache directory."""
    # Not tmp_path: for root it is below a 0700 directory, which the server's account cannot enter.
    cache = Path(tempfile.mkdtemp(prefix="tdd-cache-"))
    cache.chmod(0o711)
    return cache
