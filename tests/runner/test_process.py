import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tdd_monitor.runner import process as process_module
from tdd_monitor.runner.process import PytestProcess, StartError, signal_name


async def start(code: str, output: list[str]) -> PytestProcess:
    return await PytestProcess.start(
        [sys.executable, "-u", "-c", code], dict(os.environ), Path.cwd(), output.append
    )


async def until(output: list[str], text: str) -> None:
    async with asyncio.timeout(10):
        while text not in output:
            await asyncio.sleep(0.01)


async def test_output_is_kept_by_line_and_the_exit_code_told() -> None:
    output: list[str] = []
    process = await start("import sys; print('one'); sys.stderr.write('two'); sys.exit(5)", output)
    assert await process.wait() == 5
    assert output == ["one", "two"]


async def test_bytes_that_are_no_text_do_not_matter() -> None:
    output: list[str] = []
    process = await start("import os; os.write(1, b'\\xff\\xfe ok\\n')", output)
    await process.wait()
    assert output == ["\ufffd\ufffd ok"]


async def test_cancel_interrupts_first() -> None:
    output: list[str] = []
    code = "import time\nprint('up')\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('interrupted')"
    process = await start(code, output)
    await until(output, "up")
    process.cancel()
    assert await process.wait() == 0
    assert "interrupted" in output


STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\ntime.sleep(60)"
)


async def test_a_kill_does_not_wait_for_the_grace() -> None:
    output: list[str] = []
    process = await start(STUBBORN, output)
    await until(output, "up")
    process.cancel()
    process.kill()
    assert await process.wait() == -signal.SIGKILL


async def test_what_ignores_every_signal_is_killed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "INTERRUPT_GRACE_S", 0.05)
    monkeypatch.setattr(process_module, "TERMINATE_GRACE_S", 0.05)
    output: list[str] = []
    process = await start(STUBBORN, output)
    await until(output, "up")
    process.cancel()
    assert signal_name(await process.wait()) == "SIGKILL"


async def test_a_program_that_does_not_exist_is_named() -> None:
    with pytest.raises(StartError, match="/no/such/python cannot be started: No such file"):
        await PytestProcess.start(["/no/such/python"], {}, Path.cwd(), print)
