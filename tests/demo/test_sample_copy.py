"""Getting a copy of the sample project."""

import stat
from pathlib import Path

import pytest

from tdd_monitor.demo import copy_sample


def test_without_a_destination_each_copy_has_a_new_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    copies = [copy_sample(), copy_sample()]
    assert len({*copies}) == 2
    for copy in copies:
        assert copy.parent == tmp_path
        assert copy.name.startswith("tdd-monitor-demo-")
        assert (copy / "pyproject.toml").is_file()


def test_a_copy_is_complete_writable_and_without_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed"
    for name in ("README.md", "shop/orders.py", "shop/__pycache__/orders.pyc"):
        file = installed / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
        file.chmod(0o444)
    monkeypatch.setattr("tdd_monitor.demo._SAMPLE", installed)
    copy = copy_sample(tmp_path / "new" / "copy")
    files = {str(file.relative_to(copy)): file for file in copy.rglob("*") if file.is_file()}
    assert set(files) == {"README.md", "shop/orders.py"}
    assert all(file.stat().st_mode & stat.S_IWUSR for file in files.values())


def test_a_directory_in_use_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").touch()
    with pytest.raises(FileExistsError, match="is not empty: choose a new directory"):
        copy_sample(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["precious.txt"]
