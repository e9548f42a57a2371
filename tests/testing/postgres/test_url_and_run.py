"""`tdd-monitor postgres url` and `run`, as used by shells and programs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support.terminal import Terminal

from tdd_monitor.testing.postgres import find_binaries, server_status, stop_server, system

Ended = Callable[[psutil.Process], bool]
Postmaster = Callable[[], psutil.Process]

COMMAND = f"{sys.executable} -m tdd_monitor postgres"
PSQL = find_binaries().program("psql")


def shell(script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | variables,
    )


@pytest.fixture
def bash(cache: Path) -> Iterator[Terminal]:
    """A shell in a terminal."""
    terminal = Terminal(["bash", "--norc", "--noprofile"], cwd=cache)
    yield terminal
    terminal.close()
    stop_server()


def _await_end_of_server() -> None:
    deadline_s = time.monotonic() + 15
    while server_status().running:
        assert time.monotonic() < deadline_s, server_status()
        time.sleep(0.02)


def test_a_shell_that_substitutes_the_url_keeps_the_server_running(cache: Path) -> None:
    done = shell(f"""
        {PSQL} "$({COMMAND} url)" -Atc 'select 1'
        {COMMAND} status | head -1
        echo $$
    """)
    one, status, shell_pid = done.stdout.splitlines()
    assert (done.returncode, one) == (0, "1")
    assert status.startswith("running") and status.endswith(f"used by processes: {shell_pid}")
    _await_end_of_server()


@pytest.mark.skipif(not system.LINUX, reason="only Linux shows which process reads a pipe")
def test_a_subshell_in_between_does_not_matter(cache: Path) -> None:
    done = shell(f"""
        url=$(cd / && {COMMAND} url; true)
        {COMMAND} status | head -1
        {PSQL} "$url" -Atc 'select 1'
        echo $$
    """)
    status, one, shell_pid = done.stdout.splitlines()
    assert (done.returncode, one) == (0, "1")
    assert status.endswith(f"used by processes: {shell_pid}")


def test_a_program_that_reads_the_url_keeps_the_server_running(cache: Path, postmaster: Postmaster) -> None:
    url = subprocess.check_output([*COMMAND.split(), "url", "template1"], text=True).strip()
    assert "/template1?" in url
    assert server_status().users == (os.getpid(),)
    again = subprocess.check_output([*COMMAND.split(), "url"], text=True).strip()
    assert again == url.replace("template1", "postgres")
    assert server_status().users == (os.getpid(),)


def test_a_shell_that_redirects_the_url_to_a_file_keeps_the_server_running(cache: Path) -> None:
    script = f"{COMMAND} url > {cache}/url; echo $$; {COMMAND} status | head -1"
    pid, status = shell(script).stdout.splitlines()
    assert status.endswith(f"used by processes: {pid}")


def test_the_url_works_in_a_terminals_shell(bash: Terminal) -> None:
    bash.press(f"{PSQL} \"$({COMMAND} url)\" -Atc 'select 20 + 3'\r")
    bash.shows("\n23 ")


def test_on_a_terminal_the_server_stays_up_until_ctrl_c(bash: Terminal, cache: Path) -> None:
    bash.press(f"{COMMAND} url\r")
    bash.shows("postgresql://", "stays up until you press Ctrl+C")
    assert len(server_status().users) == 1
    bash.press("\x03")
    bash.press("echo $((40 + 2))\r")
    bash.shows("\n42 ")
    _await_end_of_server()


def test_on_a_terminal_a_stopped_server_is_reported(bash: Terminal) -> None:
    bash.press(f"{COMMAND} url\r")
    bash.shows("stays up until you press Ctrl+C")
    stop_server()
    bash.shows("The server was stopped.")


def test_run_keeps_the_server_running_for_the_command(cache: Path) -> None:
    script = cache / "script"
    script.write_text(f"""
        {COMMAND} status | head -1
        echo $$
        {PSQL} -Atc 'select current_database()'
        {PSQL} "$DATABASE_URL" -Atc 'select current_database()'
        env | grep ^PG | sort
        exit 7
    """)
    misleading = {"PGHOSTADDR": "192.0.2.1", "PGSERVICE": "none", "PGSSLMODE": "require", "PGPASSWORD": "x"}
    done = shell(f"{COMMAND} run --database template1 -- sh {script}", **misleading)
    status, script_pid, *lines = done.stdout.splitlines()
    assert (done.returncode, lines[:2]) == (7, ["template1", "template1"]), done.stderr
    assert status.endswith(f"used by processes: {script_pid}")
    assert [line.split("=")[0] for line in lines[2:]] == ["PGDATABASE", "PGHOST", "PGPORT", "PGUSER"]
    _await_end_of_server()


def test_run_passes_signals_and_options_to_the_command(cache: Path) -> None:
    script = "import signal, sys; print(sys.argv[1:], flush=True); signal.pause()"
    command = [*COMMAND.split(), "run", sys.executable, "-c", script, "--database", "x", "-h"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "['--database', 'x', '-h']\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
    _await_end_of_server()


def test_a_closed_pipe_ends_the_command_as_it_would_without_us(cache: Path) -> None:
    done = shell(f"{COMMAND} run -- yes | head -1; echo ${{PIPESTATUS[0]}}")
    assert done.stdout == f"y\n{128 + signal.SIGPIPE}\n"


@pytest.mark.parametrize(("name", "code"), [("no-such-command", 127), ("/", 126)])
def test_a_command_that_cannot_be_run_is_reported(cache: Path, name: str, code: int) -> None:
    done = shell(f"{COMMAND} run -- {name}")
    assert done.returncode == code
    assert f"Cannot run {name}: " in done.stderr


@pytest.mark.skipif(not system.LINUX, reason="process watches are tested on Linux only")
def test_the_server_ends_with_a_watched_process_that_is_killed(
    cache: Path, postmaster: Postmaster, ended: Ended
) -> None:
    with subprocess.Popen(
        [*COMMAND.split(), "run", "sh", "-c", "echo up; exec sleep 60"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        server = postmaster()
        process.kill()
        assert ended(server)
