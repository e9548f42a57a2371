"""JUnit XML, as pytest writes it (`--junitxml`), with the metrics of each test as properties."""

from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

from tdd_monitor.terminal import plain_lines, visible

from . import results
from .results import Document, Entry

PREFIX = "tdd_monitor."  # of our properties: CI servers show those of all tools in one list
SKIPPED = {"skipped": "pytest.skip", "xfailed": "pytest.xfail"}


def render(document: Document) -> str:
    """One suite; a failing collection is an error of its file, as in pytest."""
    suite = ET.Element("testsuite", name="pytest", time=f"{document['duration_s']:.3f}")
    if document["started_at"]:
        suite.set("timestamp", document["started_at"])
    _add_properties(suite, _of_run(document))
    for error in document["collect_errors"]:
        case = ET.SubElement(suite, "testcase", classname="", name=visible(error["nodeid"]), time="0.000")
        _result(case, "error", "collection failure", error["longrepr"])
    for skip in document["collect_skips"]:
        case = ET.SubElement(suite, "testcase", classname="", name=visible(skip["nodeid"]), time="0.000")
        _result(case, "skipped", skip["reason"], "", "pytest.skip")
    for test in results.ran(document):
        _add_test(suite, test)
    counts = {"tests": len(suite.findall("testcase"))}
    counts |= {f"{tag}s": len(suite.findall(f"testcase/{tag}")) for tag in ("failure", "error")}
    counts["skipped"] = len(suite.findall("testcase/skipped"))
    root = ET.Element("testsuites", name="pytest tests", time=suite.get("time", ""))
    for name, number in counts.items():
        suite.set(name, str(number))
        root.set(name, str(number))
    root.append(suite)
    ET.indent(root)
    return "<?xml version='1.0' encoding='utf-8'?>\n" + ET.tostring(root, encoding="unicode") + "\n"


def _of_run(document: Document) -> Iterator[tuple[str, object]]:
    yield "python", document["environment"]["python"]
    yield "pytest", document["environment"]["pytest"]
    yield "exitcode", document["exitcode"]
    yield "alerts", len(document["alerts"])
    if document["gate"] is not None:
        yield "gate", "passed" if document["gate"]["passed"] else "not passed"
    for problem in results.problems(document):
        yield "problem", problem


def _add_test(suite: ET.Element, test: Entry) -> None:
    classname, name = names(test["nodeid"])
    total_ms = test.get("total_duration_ms") or 0.0
    case = ET.SubElement(suite, "testcase", classname=classname, name=name, time=f"{total_ms / 1000:.6f}")
    case.set("file", visible(test["file"]))
    if test["line"]:
        case.set("line", str(test["line"]))
    _add_properties(case, _of_test(test))
    failures = test["failures"]
    if failures:
        tag = "failure" if test["outcome"] == "failed" else "error"
        parts = [failure["longrepr"] or failure["message"] for failure in failures]
        _result(case, tag, failures[0]["message"], "\n\n".join(parts))
        output = "\n".join(f"--- {o['title']} ---\n{o['text']}" for f in failures for o in f["output"])
        if output:
            ET.SubElement(case, "system-out").text = _text(output)
    elif test["outcome"] in SKIPPED:
        _result(case, "skipped", test["reason"], "", SKIPPED[test["outcome"]])


def names(nodeid: str) -> tuple[str, str]:
    """The class name and name that pytest's own report gives this test."""
    path, bracket, parameters = nodeid.partition("[")
    file, *names = path.split("::")
    module = file.removesuffix(".py").replace("\\", "/").replace("/", ".")
    name = names.pop() if names else ""
    return visible(".".join([module, *names])), visible(name + bracket + parameters)


def _of_test(test: Entry) -> Iterator[tuple[str, object]]:
    for name, value in results.metrics(test).items():
        yield name, f"{value:.15g}"
    if test["worker"]:
        yield "worker", test["worker"]
    if test["attempts"] > 1:
        yield "attempts", test["attempts"]
    if test["over_threshold"]:
        yield "over_threshold", ", ".join(test["over_threshold"])


def _add_properties(parent: ET.Element, pairs: Iterable[tuple[str, object]]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in pairs:
        ET.SubElement(properties, "property", name=visible(PREFIX + name), value=visible(str(value)))


def _result(case: ET.Element, tag: str, message: str, text: str, kind: str = "") -> None:
    element = ET.SubElement(case, tag, message=_text(message))
    if kind:
        element.set("type", kind)
    if text:
        element.text = _text(text)


def _text(value: str) -> str:
    """Without what XML forbids even as a character reference: controls and half surrogate pairs."""
    return "\n".join(plain_lines(value))
