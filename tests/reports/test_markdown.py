"""The Markdown report, read by a Markdown parser."""

import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from support import documents, streams
from support.documents import document_of

from tdd_monitor.reports import markdown
from tdd_monitor.reports.formats import Request, write

ALLOWED = {"h2", "h3", "p", "blockquote", "strong", "details", "summary", "code", "br", "pre"} | {
    "table",
    "tr",
    "th",
    "td",
}


def html(report: dict[str, Any]) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(markdown.render(report)))


def test_failures_thresholds_and_regressions_are_listed() -> None:
    text = html(documents.shop())
    assert text.startswith("<h2>❌ 3 failed, 1 error, 34 passed")
    assert f"<summary>FAILED <code>{streams.DISCOUNT}</code><br><code>tests/test_orders.py:61</code>" in text
    assert f"<td>regressed</td><td><code>{streams.N_PLUS_ONE}</code></td>" in text
    assert "<td><code>duration 1.24 s, limit 100 ms: mostly in call, waiting</code></td>" in text
    assert html(document_of(streams.all_passed(), 0)).startswith("<h2>✅ 6 passed in 0.37 s</h2>")


@pytest.mark.parametrize("report", [documents.shop(), documents.hostile()])
def test_only_the_elements_of_the_report_itself_come_out(report: dict[str, Any]) -> None:
    text = html(report)
    assert set(re.findall(r"<(\w+)", text)) <= ALLOWED
    opened = [tag for tag in re.findall(r"<(/?\w+)", text) if tag != "br"]
    assert all(opened.count(tag) == opened.count(f"/{tag}") for tag in ALLOWED - {"br"})


def test_a_long_report_stays_below_the_limit_of_a_summary() -> None:
    report = documents.shop()
    failed = next(test for test in report["tests"] if test["outcome"] == "failed")
    failed["failures"][0]["longrepr"] = "<" * 500_000
    report["tests"] = [{**failed, "nodeid": f"t.py::test_{n}"} for n in range(500)]
    text = markdown.render(report)
    assert len(text.encode()) < 1024 * 1024 and "… and 480 more." in text


def test_a_step_summary_is_appended_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary, other = tmp_path / "summary.md", tmp_path / "other.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    for file in (summary, other):
        file.write_text("before\n")
        assert write(documents.shop(), [Request("markdown", str(file))]) == []
    assert summary.read_text().startswith("before\n## ❌")
    assert other.read_text().startswith("## ❌")
