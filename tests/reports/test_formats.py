"""What holds for every report format."""

import sys
from pathlib import Path

import pytest
from support import documents, streams
from support.documents import document_of

from tdd_monitor.reports.formats import FORMATS, Request, render, write

PRINTED = ("agent", "github", "markdown")  # to a log, in which GitHub Actions obeys lines that start with ::
CONTROLS = {chr(code) for code in range(32)} - {"\n", "\t"} | {chr(code) for code in range(0x7F, 0xA0)}


@pytest.mark.parametrize("name", FORMATS)
def test_a_hostile_text_stays_text(name: str) -> None:
    text = render(name, documents.hostile())
    assert not CONTROLS & set(text), "a control character"
    assert "\u202e" not in text and "\ufffe" not in text
    text.encode()  # no lone surrogate
    if name in PRINTED:
        assert not any(line.lstrip().startswith("::error::owned") for line in text.splitlines())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("run", ["nothing", "lost", "collection_errors", "xdist", "rerun_failed"])
def test_every_kind_of_run_can_be_reported(name: str, run: str) -> None:
    lines = [] if run == "nothing" else getattr(streams, run)()
    render(name, document_of(lines)).encode()


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_imported_only_when_it_is_used(name: str) -> None:
    import subprocess

    script = "import sys, tdd_monitor.cli.run; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"'tdd_monitor.reports.{name}'" not in done.stdout


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_documented(name: str) -> None:
    assert f"\n## {name}\n" in (Path(__file__).parents[2] / "docs" / "reports.md").read_text()


def test_reports_that_can_be_written_are_written(tmp_path: Path) -> None:
    requests = [Request("json", str(tmp_path / "no" / "x")), Request("agent", str(tmp_path / "y"))]
    (problem,) = write(documents.hostile(), requests)
    assert problem.startswith("Cannot write the json report to") and "No such file" in problem
    assert (tmp_path / "y").read_text()
