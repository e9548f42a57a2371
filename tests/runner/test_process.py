import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tdd_monitor.runner.pytest_process import process as process_module
from tdd_monitor.runner.pytest_process.process import PytestProcess, StartError, signal_name


async def start(code: str, output: list[str]) -> PytestProcess:
    return await PytestProcess.start(
        [sys.executable, "-u", "-c", code], dict(os.environ), Path.cwd(), output.append
    )


async def until(output: list[str], text: str) -> None:
    async with asyncio.timeout(60):
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
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "print('up')\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('interrupted')"
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


async def test_a_flood_of_output_is_bounded_on_disk_and_its_end_is_kept() -> None:
    output: list[str] = []
    code = (
        "import os, pathlib, sys, time\nline = b'x' * 99 + b'\\n'\n"
        "for _ in range(200): os.write(1, line * 10_000)\n"
        "while os.fstat(1).st_blocks * 512 > 24 << 20: time.sleep(0.05)\n"
        "print('the end')"
    )
    process = await start(code, output)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert output[-1] == "the end"
    assert len(output) < 2_000_000 and any("MB of output left out here" in line for line in output)
