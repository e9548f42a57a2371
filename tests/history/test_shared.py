"""A history shared through a server: runs get there at once, or when the server is back."""

import asyncio
import socket
from pathlib import Path

import asyncpg
import pytest
from support.history import result, run

from tdd_monitor.history import postgresql, project
from tdd_monitor.history.database import HistoryError
from tdd_monitor.history.postgresql import PostgreSQL
from tdd_monitor.history.project import ProjectHistory
from tdd_monitor.history.store import Store


def unused_address() -> str:
    """A server's address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"postgresql://me:s3cret@127.0.0.1:{listener.getsockname()[1]}/history"


def test_two_machines_see_each_others_runs(shared_url: str, tmp_path: Path) -> None:
    histories = []
    for number, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        histories.append(ProjectHistory(tmp_path / name, shared_url))
        histories[-1].add(run(number), [result(wall_ns=number)])
    for history in histories:
        assert [each.result.figures.wall_ns for each in history.reader().of_test("a.py::t")] == [0, 1]
        assert history.notices == []
        history.close()


def test_runs_are_sent_when_the_server_is_back(
    shared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "RETRY_S", 0)
    away = ProjectHistory(tmp_path, unused_address())
    for number in range(3):
        away.add(run(number), [result()])
    assert [each.uuid for each in away.reader().runs()] == ["run-2", "run-1", "run-0"]
    away.close()
    back = ProjectHistory(tmp_path, shared_url)
    back.add(run(3), [result()])
    back.close()
    shared = PostgreSQL(shared_url)
    assert [each.uuid for each in Store(shared).runs()] == ["run-3", "run-2", "run-1", "run-0"]
    shared.close()


def test_an_unreachable_server_is_named_once_in_a_while_without_its_password(tmp_path: Path) -> None:
    url = unused_address()
    history = ProjectHistory(tmp_path, url)
    for number in range(3):
        history.add(run(number), [result()])
    (notice,) = history.notices
    assert f"The history on {url.partition('@')[2]} cannot be used: " in notice
    assert notice.endswith("Runs are kept on this machine and sent later.")
    assert "s3cret" not in notice
    history.close()


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "CONNECT_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        history = ProjectHistory(tmp_path, f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x")
        history.add(run(1), [result()])
        assert len(history.notices) == 1
        history.close()


def test_a_connection_that_breaks_loses_no_run(
    shared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "RETRY_S", 0)
    history = ProjectHistory(tmp_path, f"{shared_url}&application_name=breaks")
    history.add(run(0), [result()])
    asyncio.run(end_connections(shared_url, "breaks"))
    history.add(run(1), [result()])
    assert len(history.notices) == 1
    history.add(run(2), [result()])
    assert [each.uuid for each in history.reader().runs()] == ["run-2", "run-1", "run-0"]
    history.close()


async def end_connections(url: str, name: str) -> None:
    """Let the server end the connections of this application."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", name
    )
    await connection.close()


def test_a_newer_history_on_a_server_is_left_alone(shared_url: str) -> None:
    database = PostgreSQL(shared_url)
    database.query("UPDATE schema_version SET version = 99")
    database.close()
    with pytest.raises(HistoryError, match=r"was written by a newer tdd-monitor. Upgrade this one\."):
        PostgreSQL(shared_url)
