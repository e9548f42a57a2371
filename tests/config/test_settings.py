"""[tool.tdd-monitor]: valid values become settings, mistakes a helpful error."""

import dataclasses
import os
from pathlib import Path

import pytest

from tdd_monitor.config import ConfigError, GateSettings, Override, Settings, Thresholds, load


def write(directory: Path, text: str) -> Path:
    file = directory / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return file


def table(text: str) -> str:
    return f"[tool.tdd-monitor]\n{text}"


def error(directory: Path, text: str) -> str:
    file = write(directory, text)
    with pytest.raises(ConfigError) as caught:
        load(directory)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_without_a_table_everything_has_its_default(tmp_path: Path) -> None:
    write(tmp_path, "[project]\nname = 'shop'\n")
    assert load(tmp_path) == Settings(root=tmp_path)


def test_the_targets_are_the_default_thresholds() -> None:
    assert Thresholds().items() == {
        "test_duration_ms": 100,
        "fixture_setup_ms": 5,
        "connection_acquire_ms": 5,
        "schema_operation_ms": 10,
        "test_cleanup_ms": 5,
        "memory_usage_mb": 10,
        "memory_growth_mb": 10,
        "pool_utilization": 0.9,
        "server_connections": 0.8,
        "repeated_queries": 10,
    }


def test_every_key_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        table(
            """
            paths = ["tests", "docs"]
            pytest_args = ["-q"]
            python = ".venv"
            watch_ignore = ["generated/*"]
            debounce_ms = 20
            database_url = "postgresql://localhost/test"
            use_database_url = true
            theme = "nord"
            count_connections = false
            watch_include = ["build/*.json"]
            history = "postgresql://db.example.org/history"
            [tool.tdd-monitor.thresholds]
            test_duration_ms = 50
            pool_utilization = 0.5
            memory_usage_mb = 0
            [tool.tdd-monitor.gate]
            max_test_time_ms = 500
            thresholds = "off"
            [[tool.tdd-monitor.overrides]]
            marker = "slow"
            test_duration_ms = 900
            """
        ),
    )
    read = load(tmp_path)
    assert read == Settings(
        tmp_path,
        ("tests", "docs"),
        ("-q",),
        ".venv",
        ("generated/*",),
        20,
        "postgresql://localhost/test",
        True,
        "nord",
        Thresholds(test_duration_ms=50, pool_utilization=0.5, memory_usage_mb=0),
        False,
        ("build/*.json",),
        "postgresql://db.example.org/history",
        GateSettings(max_test_time_ms=500, thresholds="off"),
        (Override("pyproject.toml:21", marker="slow", limits=(("test_duration_ms", 900),)),),
    )
    assert all(getattr(read, field.name) != field.default for field in dataclasses.fields(Settings))


def test_dashes_and_underscores_are_equivalent(tmp_path: Path) -> None:
    write(tmp_path, table("debounce-ms = 7\n[tool.tdd-monitor.thresholds]\ntest-duration-ms = 8"))
    assert (load(tmp_path).debounce_ms, load(tmp_path).thresholds.test_duration_ms) == (7, 8)


def test_a_key_in_both_spellings_is_an_error(tmp_path: Path) -> None:
    assert "debounce_ms is set twice" in error(tmp_path, table("debounce-ms = 7\ndebounce_ms = 8"))


@pytest.mark.parametrize(
    ("key", "value", "accepted"),
    [
        ("paths", '"tests"', "a list of strings"),
        ("pytest_args", '["-n", 4]', "a list of strings"),
        ("watch-ignore", "true", "a list of strings"),
        ("python", "3.12", "a string"),
        ("database_url", "[]", "a string"),
        ("theme", "1", "a string"),
        ("history", '"mysql://db"', "'local', 'off' or a postgresql:// URL"),
        ("use_database_url", '"yes"', "true or false"),
        ("use_database_url", "1", "true or false"),
        ("debounce_ms", "-1", "a whole number of 0 or more"),
        ("debounce_ms", "50.5", "a whole number of 0 or more"),
        ("debounce_ms", "true", "a whole number of 0 or more"),
        ("debounce_ms", '"50"', "a whole number of 0 or more"),
        ("thresholds", "5", "a table of numbers"),
        ("thresholds.test_duration_ms", '"100 ms"', "a number of 0 or more"),
        ("thresholds.memory_usage_mb", "-0.1", "a number of 0 or more"),
        ("thresholds.pool_utilization", "90", "between 0 and 1"),
        ("thresholds.server_connections", "80", "between 0 and 1"),
        ("thresholds.memory_usage_mb", "nan", "a number of 0 or more"),
        ("thresholds.memory_usage_mb", "inf", "a number of 0 or more"),
        ("thresholds.pool-utilization", "false", "a number of 0 or more"),
    ],
)
def test_a_wrong_value_names_its_key_and_what_is_accepted(
    tmp_path: Path, key: str, value: str, accepted: str
) -> None:
    said = error(tmp_path, table(f"{key} = {value}"))
    assert f" {key.rpartition('.')[2]} must be {accepted}, not " in said


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("path", "paths"),
        ("debounce", "debounce_ms"),
        ("pytest-arg", "pytest_args"),
        ("threshold", "thresholds"),
        ("thresholds.test-duration", "test_duration_ms"),
        ("thresholds.memory_usage", "memory_usage_mb"),
    ],
)
def test_an_unknown_key_gets_a_suggestion(tmp_path: Path, key: str, near: str) -> None:
    said = error(tmp_path, table(f"{key} = 1"))
    assert f"has no key '{key.rpartition('.')[2]}'; did you mean '{near}'?" in said
    assert near in said.partition("Accepted keys: ")[2]


@pytest.mark.parametrize("key", ["root", "zzz", "__class__"])
def test_a_key_without_a_similar_one_gets_the_list(tmp_path: Path, key: str) -> None:
    said = error(tmp_path, table(f"{key} = 1"))
    assert f"has no key '{key}'\n  Accepted keys: count_connections, database_url, " in said


@pytest.mark.parametrize("text", ["[tool]\ntdd-monitor = 3", "[[tool.tdd-monitor]]\npaths = []"])
def test_a_value_that_is_not_a_table_is_an_error(tmp_path: Path, text: str) -> None:
    assert "[tool.tdd-monitor] must be a table" in error(tmp_path, text)


def test_other_uses_of_tool_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, "tool = 3")
    assert load(tmp_path) == Settings(root=tmp_path)


def test_broken_toml_says_where(tmp_path: Path) -> None:
    said = error(tmp_path, table("paths = [\n'a'"))
    assert "not valid TOML" in said
    assert "line" in said or "end of document" in said


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_read_permission_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "").chmod(0)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_a_file_that_vanishes_or_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "")

    def fail(*_args: object, **_kwargs: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(ConfigError, match=r"pyproject\.toml: cannot be read: .*Permission denied"):
        load(tmp_path)


def test_the_nearest_pyproject_counts(tmp_path: Path) -> None:
    inner, deep = tmp_path / "inner", tmp_path / "inner" / "tests" / "unit"
    deep.mkdir(parents=True)
    write(tmp_path, table("theme = 'outer'"))
    assert (load(deep).theme, load(deep).root) == ("outer", tmp_path)
    write(inner, table("theme = 'inner'"))
    assert (load(deep).theme, load(deep).root) == ("inner", inner)


def test_without_a_pyproject_the_start_is_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tdd_monitor.config.settings.find_pyproject", lambda _start: None)
    assert load(tmp_path) == Settings(root=tmp_path)
