"""JUnit XML of a verdict, which CI services show as a list of tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from multigraft.testing.results import Outcome, Verdict

_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


def junit(verdict: Verdict) -> str:
    """One test suite: a class for each record, a test case for each check."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"multigraft check-plugin {verdict.plugin}",
        tests=str(len(verdict.outcomes)),
        failures=str(verdict.count("failed")),
        skipped=str(verdict.count("skipped")),
        errors="0",
        time=f"{sum(outcome.seconds for outcome in verdict.outcomes):.3f}",
    )
    for outcome in verdict.outcomes:
        _case(suite, outcome, verdict.plugin)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, outcome: Outcome, plugin: str) -> None:
    record = outcome.record.replace(" ", ".")
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_speakable(f"{plugin}.{record}"),
        name=outcome.check,
        time=f"{outcome.seconds:.3f}",
    )
    if outcome.state == "skipped":
        ElementTree.SubElement(case, "skipped", message=_speakable(outcome.reason))
    if outcome.state == "failed":
        first = outcome.findings[0].what.splitlines()[0]
        failure = ElementTree.SubElement(case, "failure", message=_speakable(first))
        failure.text = _speakable("\n\n".join(str(finding) for finding in outcome.findings))


def _speakable(text: str) -> str:
    return _UNSPEAKABLE.sub("?", text)
