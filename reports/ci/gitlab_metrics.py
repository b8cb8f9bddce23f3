"""OpenMetrics text for GitLab's metrics report (artifacts:reports:metrics), shown in a merge request.

GitLab cuts each line at the first `#` and then splits it as a shell would (Gitlab::Ci::Parsers::Metrics::Generic), so
no value here holds that sign. It compares values as text: rounded to four digits, noise shows as fewer changes.
"""

import re

from reports import gate_words
from reports.comparison import Comparison, Finding

DESCRIPTION = "OpenMetrics text for GitLab's metrics report (artifacts:reports:metrics)"

#: OpenMetrics gives these endings a meaning of their own, which a gauge must not claim.
_RESERVED = ("_total", "_count", "_sum", "_bucket", "_created", "_info", "_gcount", "_gsum")


def render(comparison: Comparison) -> str:
    """One family a metric with the new side's values, and one with the changes against the base."""
    families: dict[str, dict[str, str]] = {}
    for finding in sorted(comparison.findings, key=lambda each: (each.metric, each.benchmark)):
        name, labelled = _family(finding.metric), f'benchmark="{_label(gate_words.benchmark(finding))}"'
        value, ratio = gate_words.finite(finding.new), gate_words.usable(finding.ratio)
        if value is not None:
            families.setdefault(name, {})[labelled] = _number(value, finding)
        if ratio is not None and not finding.exact:
            change = f'{labelled},metric="{_label(gate_words.metric(finding.metric))}"'
            families.setdefault("pinchpoint_new_over_base", {})[change] = f"{ratio:.4g}"
    lines = []
    for name, samples in families.items():
        lines += [f"# TYPE {name} gauge", *(f"{name}{{{labelled}}} {value}" for labelled, value in samples.items())]
    return "".join(f"{line}\n" for line in [*lines, "# EOF"])


def _number(value: float, finding: Finding) -> str:
    """All digits of what was counted, four of what was measured."""
    return repr(value) if finding.exact else f"{value:.4g}"


def _family(metric: str) -> str:
    name = f"pinchpoint_{re.sub(r'[^a-zA-Z0-9_]', '_', metric)}"
    return f"{name}_value" if name.endswith(_RESERVED) else name


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("#", "＃")
