"""CSV for apache-otava, which looks for change points over many runs: time, commit, branch, then a column a metric.

The first line has the names, the second one the new side. Append the second lines of all runs under one first line;
in otava.yaml give the test `type: csv`, `time_column: time`, `attributes: [commit, branch]` and its columns.
"""

import csv
import io

from reports import gate_words, labels
from reports.comparison import Comparison

DESCRIPTION = "CSV with time, commit, branch and a column a metric, for apache-otava"


def render(comparison: Comparison) -> str:
    """Two lines. What has no value has no column, since otava takes no empty one."""
    new = comparison.new
    branch = new.facts.get("git_branch") or new.label
    row = {"time": comparison.started_at, "commit": new.commit or "", "branch": str(branch)}
    columns = {key: labels.plain(value) for key, value in row.items()}
    for finding in sorted(comparison.findings, key=lambda each: (each.benchmark, each.metric)):
        value = gate_words.finite(finding.new)
        if value is not None:
            columns[f"{gate_words.benchmark(finding)}.{labels.plain(finding.metric)}"] = repr(value)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns.keys(), columns.values()])
    return text.getvalue()
