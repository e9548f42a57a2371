"""The report formats, each in a module of its own, and writing them to files.

A format module has one function, `render(document) -> str`. It reads nothing but the JSON document, so a
JSON report can be converted into any other format later.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

FORMATS = {
    "json": "everything that was measured",
    "agent": "short plain text for coding agents",
    "markdown": "the summary of a CI job",
    "junit": "JUnit XML with the metrics of each test as properties",
    "ctrf": "Common Test Report Format",
    "perfetto": "a trace on a time line for ui.perfetto.dev",
    "html": "one page with sortable table and charts, to open or to keep as an artifact",
    "github": "annotations at file and line, as workflow commands of GitHub Actions",
}
STDOUT = "-"


class FormatError(ValueError):
    """A report was requested in a way that is not understood."""


@dataclass(frozen=True, slots=True)
class Request:
    """One report to write; the file "-" is standard output."""

    format: str
    file: str

    @property
    def to_stdout(self) -> bool:
        """True if the report is printed after the summary."""
        return self.file == STDOUT


def parse(text: str) -> Request:
    """The request FORMAT=FILE. Raises FormatError."""
    name, equals, file = text.partition("=")
    if name not in FORMATS:
        raise FormatError(f"Unknown report format {name!r}. Formats: {', '.join(FORMATS)}.")
    if not (equals and file):
        raise FormatError(
            f"The report {text!r} has no file. Use {name}=FILE, or {name}=- for standard output."
        )
    return Request(name, file)


def render(name: str, document: Mapping[str, Any]) -> str:
    """The document in the format of this name. Imports only that format."""
    text: str = import_module(f".{name}", __package__).render(document)
    return text


def write(document: Mapping[str, Any], requests: Iterable[Request]) -> list[str]:
    """Write the reports; returns a sentence for each one that could not be written."""
    problems = []
    for request in requests:
        try:
            _write(request.file, render(request.format, document))
        except OSError as error:
            where = "standard output" if request.to_stdout else request.file
            problems.append(f"Cannot write the {request.format} report to {where}: {error.strerror}.")
    return problems


def _write(file: str, text: str) -> None:
    if file == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    # A name can hold half a surrogate pair, which no encoding can.
    with Path(file).open(
        "a" if _is_step_summary(file) else "w", encoding="utf-8", errors="backslashreplace"
    ) as out:
        out.write(text)


def _is_step_summary(file: str) -> bool:
    """True for the summary of a GitHub Actions step, which other commands of the step write to as well."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY", "")
    return bool(summary) and os.path.abspath(file) == os.path.abspath(summary)  # noqa: PTH100
