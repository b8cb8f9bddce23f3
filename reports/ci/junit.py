"""JUnit XML: one suite a comparison, one case a metric of a benchmark.

The schema is the one that Jenkins and pytest hold to (junit-10.xsd of Jenkins' xunit plug-in). GitLab, Azure, Buildkite
and others read it too. A case has no time of its own: the sides take turns, so no part of it belongs to one case.
"""

from xml.etree import ElementTree as ET

from reports import gate_words, labels
from reports.comparison import Comparison, Finding

DESCRIPTION = "JUnit XML, for the test reports of GitLab, Jenkins, Azure and others"


def render(comparison: Comparison) -> str:
    """The report. What is worse or gone is a failure, what newly fails an error, what cannot be told is skipped."""
    cases = [_case(each) for each in gate_words.worst_first(comparison.findings)] or [_nothing(comparison)]
    counts = {
        "tests": str(len(cases)),
        "failures": str(_count(cases, "failure")),
        "errors": str(_count(cases, "error")),
    }
    time = {} if comparison.spent_s is None else {"time": f"{comparison.spent_s:.3f}"}
    root = ET.Element("testsuites", {"name": "pinchpoint", **counts, **time})
    name = f"{gate_words.side(comparison.new)} against {gate_words.side(comparison.base)}"
    started = {"timestamp": labels.plain(comparison.started_at)} if comparison.started_at else {}
    suite = ET.SubElement(
        root, "testsuite", {"name": name, **counts, "skipped": str(_count(cases, "skipped")), **time, **started}
    )
    suite.extend([_properties(comparison), *cases])
    ET.SubElement(suite, "system-out").text = "\n".join(
        text for text in (gate_words.answer(comparison), gate_words.remedy(comparison), *_notes(comparison)) if text
    )
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(finding: Finding) -> ET.Element:
    case = ET.Element(
        "testcase", {"classname": gate_words.benchmark(finding), "name": gate_words.metric(finding.metric)}
    )
    kind = _kind(finding)
    if kind:
        message = gate_words.describe(finding)
        ET.SubElement(case, kind, {"type": labels.plain(finding.code), "message": message})
    else:
        ET.SubElement(case, "system-out").text = gate_words.describe(finding)
    return case


def _kind(finding: Finding) -> str:
    """The element that says what became of a case; empty where it passed."""
    if finding.outcome == "fail":
        return "error" if finding.code == "new_fails" else "failure"
    return "skipped" if finding.outcome == "inconclusive" or finding.verdict == "not comparable" else ""


def _nothing(comparison: Comparison) -> ET.Element:
    """A report without a case would read as a success."""
    case = ET.Element("testcase", {"classname": "pinchpoint", "name": "comparison"})
    ET.SubElement(case, "skipped", {"type": "refused", "message": gate_words.answer(comparison)})
    return case


def _count(cases: list[ET.Element], kind: str) -> int:
    return sum(case.find(kind) is not None for case in cases)


def _properties(comparison: Comparison) -> ET.Element:
    properties = ET.Element("properties")
    for name, side in (("base", comparison.base), ("new", comparison.new)):
        values = {"label": side.label, "commit": side.commit, "run": side.run}
        for key, value in values.items():
            if value:
                ET.SubElement(properties, "property", {"name": f"{name}.{key}", "value": labels.plain(value)})
    return properties


def _notes(comparison: Comparison) -> list[str]:
    return [gate_words.sentence(note) for note in comparison.notes]
