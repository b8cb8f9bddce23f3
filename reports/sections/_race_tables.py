"""Races of architectures as tables: a row a race, a column an architecture."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench import points
from bench.units import scale
from reports import certainty, labels, tables
from reports.document import Cell, Column, Table
from reports.equals import Race, architecture_of
from reports.study import MEMORY_METRICS, Study, memory, metric


@dataclass(frozen=True)
class Layout:
    """The columns that all tables share: the work, what else tells the races apart, and the `architectures`."""

    study: Study
    races: Sequence[Race]
    architectures: Sequence[str]

    @property
    def _axes(self) -> list[str]:
        vary = points.varying([race.axes for race in self.races])
        return [name for name in vary if name not in ("workload", "architecture", *labels.VARIANT_AXES)]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The heads."""
        machine = [Column("machine")] if len(self.study.hosts) > 1 else []
        told = [tables.axis_column(name) for name in self._axes]
        return (Column("work"), *machine, *told, *(Column(name, "right") for name in self.architectures))

    def row(self, race: Race, unit: str, cells: Sequence[Cell]) -> tuple[Cell, ...]:
        """The cells of `race`, after what tells it from the others and, where the work has one, the row's `unit`."""
        work = labels.workload(race.axes["workload"]) + (f", {unit}" if unit else "")
        machine = [Cell(self.study.host(race.records[0]).label)] if len(self.study.hosts) > 1 else []
        told = [tables.axis_cell(name, race.axes[name]) for name in self._axes]
        return (Cell(work), *machine, *told, *cells)


def tables_of(study: Study, races: Sequence[Race], architectures: Sequence[str]) -> list[Table]:
    """Throughput, and peak memory where it was measured."""
    layout = Layout(study, races, architectures)
    memories = _memory(layout)
    return [_throughput(layout), *([memories] if memories.rows else [])]


def _throughput(layout: Layout) -> Table:
    rows = []
    for race in layout.races:
        records = [race.of(name) for name in layout.architectures]
        speeds = [metric(record, "throughput_tokens_per_s") if record else None for record in records]
        factor, unit = scale([speed.value for speed in speeds if speed], "tokens/s")
        best = architecture_of(race.winner) if race.winner else ""
        cells = [
            tables.cell(
                tables.measured(speed),
                factor,
                "best" if name == best else "plain",
                certainty.TIMES.sign(record) if record else "",
            )
            for name, record, speed in zip(layout.architectures, records, speeds, strict=True)
        ]
        rows.append(layout.row(race, unit, cells))
    return Table("Throughput", layout.columns, tuple(rows), _note(layout, ["throughput_tokens_per_s"]))


def _note(layout: Layout, names: Sequence[str], doubts: Sequence[certainty.Doubt] = (certainty.TIMES,)) -> str:
    return certainty.remarks([record for race in layout.races for record in race.records], names, doubts)


def _memory(layout: Layout) -> Table:
    peaks = [
        [memory(record) if (record := race.of(name)) else None for name in layout.architectures]
        for race in layout.races
    ]
    factor, unit = scale([peak.value for row in peaks for peak in row if peak], "B")
    rows = [
        layout.row(race, "", [tables.cell(tables.measured(peak), factor, "plain") for peak in row])
        for race, row in zip(layout.races, peaks, strict=True)
        if any(row)
    ]
    return Table(f"Peak memory, {unit}", layout.columns, tuple(rows), _note(layout, MEMORY_METRICS, ()))
