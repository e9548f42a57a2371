"""Create the screenshots for the README: the real app on a replay of the demo.

    python screenshots/make.py [RECORDING]

Without a recording, it runs the demo first (about ten seconds) and uses its recording.
"""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

from tdd_monitor.config import Settings
from tdd_monitor.runner.replay import Replay
from tdd_monitor.ui.app import MonitorApp

HERE = Path(__file__).parent

# name: size, keys to press before the screenshot, theme
SHOTS = {
    "main-120x40": ((120, 40), (), "textual-dark"),
    "main-80x24": ((80, 24), (), "textual-dark"),
    "main-200x50": ((200, 50), (), "textual-dark"),
    "main-light": ((120, 40), (), "textual-light"),
    "problems": ((120, 40), ("v", "v"), "textual-dark"),
    "detail-120x40": ((120, 40), ("n", "n", "n", "n", "enter"), "textual-dark"),
    "help": ((120, 40), ("?",), "textual-dark"),
}


def record(file: Path) -> None:
    """Run the demo without a screen; its failing tests are intended."""
    command = [sys.executable, "-m", "tdd_monitor", "demo", "--headless", "--record", str(file)]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)


async def shoot(recording: Path, name: str) -> None:
    """Replay without delays, press the keys, save the screen as SVG."""
    size, keys, theme = SHOTS[name]
    settings = Settings(theme=theme)
    replay = Replay(settings, recording, speed=None)
    replay.title = "tests"
    app = MonitorApp(replay, settings)
    async with app.run_test(size=size) as pilot:
        await replay.finished()
        await pilot.pause(1.0)
        await pilot.press(*keys)
        await pilot.pause(1.0)
        app.save_screenshot(f"{name}.svg", path=str(HERE))


def main() -> None:
    """Create all screenshots."""
    with tempfile.TemporaryDirectory() as directory:
        recording = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(directory, "demo.ndjson")
        if not recording.exists():
            record(recording)
        for name in SHOTS:
            asyncio.run(shoot(recording, name))


if __name__ == "__main__":
    main()
