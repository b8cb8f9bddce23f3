"""GitHub Actions workflow commands, which the log turns into annotations of the run and of the changed files.

Escaping is that of GitHub's own toolkit (@actions/core, command.ts): % CR LF in the message, and : , in properties too.
"""

import re
from collections.abc import Sequence

from reports import gate_words
from reports.comparison import Comparison, Finding

DESCRIPTION = "annotations for GitHub Actions, printed into the log (::error, ::warning, ::notice)"

#: GitHub shows that many annotations of a kind for a step; the last one says how many more there are.
_MOST = 10
#: What pytest calls a test begins with its file.
_TEST = re.compile(r"([^\s:]+\.py)::")


def render(comparison: Comparison) -> str:
    """An error for what fails, a warning for what cannot be told, and the gate's answer, a line each."""
    found = gate_words.worst_first(comparison.findings)
    failed = [each for each in found if each.outcome == "fail"]
    untold = [each for each in found if each.outcome == "inconclusive" or each.verdict == "not comparable"]
    undecided = [each for each in untold if each.outcome != "fail"]
    level = "warning" if comparison.refused is not None or not found else "notice"
    answer = f"{gate_words.answer(comparison)} {gate_words.remedy(comparison)}".strip()
    lines = [command(level, "pinchpoint", answer), *_lines("error", failed), *_lines("warning", undecided)]
    return "".join(f"{line}\n" for line in lines)


def command(level: str, title: str, message: str, file: str | None = None) -> str:
    """One workflow command.

    >>> command("error", "a: b", "100% slower")
    '::error title=a%3A b::100%25 slower'
    """
    about = {"file": file, "title": title}
    properties = ",".join(f"{name}={_property(value)}" for name, value in about.items() if value)
    return f"::{level} {properties}::{_data(message)}"


def _lines(level: str, findings: Sequence[Finding]) -> list[str]:
    shown = findings if len(findings) <= _MOST else findings[: _MOST - 1]
    lines = [_line(level, each) for each in shown]
    if len(shown) < len(findings):
        rest = f"{len(findings) - len(shown)} more; the summary of the job has them all."
        lines.append(command(level, "pinchpoint", rest))
    return lines


def _line(level: str, finding: Finding) -> str:
    name = gate_words.benchmark(finding)
    test = _TEST.match(name)
    return command(level, name, gate_words.describe(finding), test[1] if test else None)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
