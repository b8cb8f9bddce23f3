"""What gave no measurement, and why: where the cliff is."""

from collections import Counter

from reports import labels
from reports.document import Cell, Column, Section, Table
from reports.study import Study

ORDER = 35

#: Configurations named for one cause; the tables of results mark each of them.
_MOST_NAMED = 4


def build(study: Study) -> Section | None:
    """None where every point was measured."""
    if not study.failures:
        return None
    rows = tuple(
        (
            Cell(status, emphasis="bad"),
            Cell(reason[:400]),
            Cell(str(len(records)), sort=len(records)),
            Cell(study.some(records, _MOST_NAMED)),
        )
        for (status, reason), records in study.causes.items()
    )
    counted = Counter(labels.status(record) for record in study.failures)
    lead = "; ".join(f"{labels.count(number, 'configuration')}: {status}" for status, number in counted.most_common())
    columns = (Column("what happened"), Column("reason"), Column("how many", "right"), Column("configurations"))
    return Section("What gave no result", f"{lead}.", (Table("Causes", columns, rows),))
