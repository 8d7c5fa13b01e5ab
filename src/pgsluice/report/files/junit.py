"""The report of a run as JUnit XML, for systems of continuous integration."""

from __future__ import annotations

from xml.etree import ElementTree

from pgsluice.model import ReportFile, RunReport
from pgsluice.report.parts import clean

_DONE = frozenset({"published", "skipped", "dry_run"})


def as_junit(report: RunReport) -> bytes:
    """The run, the balance of each table, each rule and each part of a guest as test cases.

    A rule with the severity warn that is broken is a test case with an output and without a failure. What a guest
    skipped because something before it failed is skipped here too.
    """
    suite = ElementTree.Element("testsuite", name=f"pgsluice run {report.run_id}", timestamp=report.started[:19])
    run = _case(suite, "run", f"run {report.run_id} published", report.seconds or 0.0)
    if report.status not in _DONE:
        _failure(run, report.status, report.detail or report.status)
    by_table: dict[str, list[ReportFile]] = {}
    for file in report.files:
        by_table.setdefault(file.table, []).append(file)
    for table, files in by_table.items():
        case = _case(suite, "balance", f"{table}: read = loaded + rejected")
        for file in files:
            counts = f"{file.read} read, {file.loaded} loaded, {file.rejected} rejected, {file.replayed} replayed"
            if not file.balances:
                _failure(case, "balance", f"{file.path}: {counts}")
                break
    for rule in report.rules:
        case = _case(suite, "rules", rule.name, rule.seconds)
        if not rule.ok and rule.severity == "warn":
            ElementTree.SubElement(case, "system-out").text = clean(f"warning: {rule.detail}")
        elif not rule.ok:
            _failure(case, rule.severity, rule.detail)
    for guest in report.guests:
        case = _case(suite, guest.program, guest.name or guest.project, guest.seconds)
        if not guest.ok:
            _failure(case, "guest", guest.message or "parts of it failed")
        for node in guest.nodes:
            case = _case(suite, guest.program, f"{node.kind} {node.name}", node.seconds)
            if node.status == "skipped":
                ElementTree.SubElement(case, "skipped")
            elif not node.ok:
                _failure(case, node.status, node.message)
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("time", f"{report.seconds or 0.0:.3f}")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _case(suite: ElementTree.Element, kind: str, name: str, seconds: float = 0.0) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", classname=f"pgsluice.{kind}", name=clean(name), time=f"{seconds:.3f}"
    )


def _failure(case: ElementTree.Element, kind: str, message: str) -> None:
    ElementTree.SubElement(case, "failure", type=clean(kind), message=clean(message))
