"""The HTML page, in a headless Chromium."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support import chromium, documents, streams
from support.chromium import Page
from support.documents import document_of

from tdd_monitor.reports.html import render

needs_chromium = pytest.mark.skipif(
    chromium.program() is None, reason="needs Chromium (apt-get install chromium-headless-shell)"
)
ROWS = "[...document.querySelectorAll('#tests tbody tr')]"
NAMES = f"{ROWS}.filter(row => !row.hidden).map(row => row.cells[9].innerText)"
CLICK = "[...document.querySelectorAll('#tests th button')].find(b => b.innerText == '{}').click()"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium.opened(tmp_path_factory.mktemp("profile")) as found:
        yield found


def show(page: Page, report: dict[str, Any], directory: Path, script: bool = True) -> None:
    file = directory / "report.html"
    file.write_text(render(report), encoding="utf-8")
    page.requests.clear()
    page.complaints.clear()
    page.call("Emulation.setScriptExecutionDisabled", value=not script)
    page.open(file)


@needs_chromium
def test_a_click_sorts_the_table_a_second_one_reverses_it(page: Page, tmp_path: Path) -> None:
    show(page, documents.shop(), tmp_path)
    collected = page.run(NAMES)
    assert collected[0] == streams.FIRST
    page.run(CLICK.format("own time"))
    slowest_first = page.run(NAMES)
    assert slowest_first[0].startswith(streams.SLOW_REPORT) and sorted(slowest_first) == sorted(collected)
    page.run(CLICK.format("own time"))
    assert page.run(NAMES)[-1].startswith(streams.SLOW_REPORT)
    assert page.run("document.querySelector('[aria-sort]').ariaSort") == "ascending"
    page.run(CLICK.format("test"))
    assert page.run(NAMES) == sorted(collected, key=str.lower)


@needs_chromium
def test_the_filter_hides_what_does_not_match(page: Page, tmp_path: Path) -> None:
    show(page, documents.shop(), tmp_path)
    page.run(
        "const box = document.querySelector('input'); box.value = 'stock ERROR';"
        "box.dispatchEvent(new Event('input'))"
    )
    assert page.run(NAMES) == ["tests/test_stock.py::test_supplier_feed fixture setup"]


@needs_chromium
def test_nothing_is_loaded_and_nothing_goes_wrong(page: Page, tmp_path: Path) -> None:
    show(page, documents.shop(), tmp_path)
    assert page.requests == [(tmp_path / "report.html").as_uri()]
    assert page.complaints == []
    assert page.run("getComputedStyle(document.querySelector('.failed')).fontWeight") == "600"


@needs_chromium
def test_the_page_can_be_read_without_javascript(page: Page, tmp_path: Path) -> None:
    show(page, documents.shop(), tmp_path, script=False)
    assert len(page.run(NAMES)) == 40
    assert page.run("document.querySelectorAll('input, button').length") == 0
    assert page.run("document.querySelectorAll('svg').length") == 4
    assert page.run(
        "[...document.querySelectorAll('svg')].every(svg => svg.getBoundingClientRect().height > 20)"
    )


@needs_chromium
def test_a_hostile_text_neither_runs_nor_loads_anything(page: Page, tmp_path: Path) -> None:
    show(page, documents.hostile(), tmp_path)
    assert len(page.requests) == 1 and page.complaints == []
    assert page.run("document.querySelectorAll('img, a').length + document.scripts.length") == 1
    assert "</script>" in page.run("document.querySelector('#tests').innerText")


@needs_chromium
def test_even_an_unescaped_text_could_not_run(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "broken.html"
    text = render(documents.shop()).replace(
        "<h1>", "<h1><script>window.ran = 1</script><img src='http://localhost:9/x'>"
    )
    file.write_text(text, encoding="utf-8")
    page.call("Emulation.setScriptExecutionDisabled", value=False)
    page.open(file)
    assert page.run("window.ran") is None
    assert sum("Content Security Policy" in each for each in page.complaints) >= 2


class Balance(HTMLParser):
    """Collects tags that are closed in the wrong order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize("run", ["shop", "lost", "collection_errors", "hostile"])
def test_every_element_is_closed(run: str) -> None:
    parser = Balance()
    parser.feed(
        render(getattr(documents, run)() if hasattr(documents, run) else document_of(getattr(streams, run)()))
    )
    assert (parser.open, parser.wrong) == ([], [])
