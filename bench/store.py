"""Where results live: SQLite by default, any SQLAlchemy URL for a team. Everything is committed as it arrives.

A run has points; a point has children (what each process reported of the model it built), blocks and at last a record.
A run that compares two sides has pairs of processes instead. A baseline is a name for a run.
Nothing is stored twice: the record's own row leaves out its blocks, and reading puts them back.
"""

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sql
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from bench.errors import UserError
from bench.inputs import NOTHING, Inputs
from bench.record import Block, Ceiling, Record, Value, block_of, ceiling_of, from_json, upgrade

#: Layout of the tables. A store with a higher number was written by a newer pinchpoint.
LAYOUT = 1

TABLES = sql.MetaData()
LAYOUTS = sql.Table("pinchpoint_store", TABLES, sql.Column("layout", sql.Integer, nullable=False))
_runs = sql.Table(
    "runs",
    TABLES,
    sql.Column("run", sql.String(40), primary_key=True),
    sql.Column("name", sql.String(200), nullable=False),
    sql.Column("started_at", sql.String(40), nullable=False),
    sql.Column("fingerprint", sql.String(40), nullable=False),
    sql.Column("body", sql.Text, nullable=False),
)
_children = sql.Table(
    "children",
    TABLES,
    sql.Column("run", sql.String(40), primary_key=True),
    sql.Column("point", sql.String(40), primary_key=True),
    sql.Column("process", sql.Integer, primary_key=True),
    sql.Column("body", sql.Text, nullable=False),
)
_blocks = sql.Table(
    "blocks",
    TABLES,
    sql.Column("run", sql.String(40), primary_key=True),
    sql.Column("point", sql.String(40), primary_key=True),
    sql.Column("kind", sql.String(20), primary_key=True),
    sql.Column("round", sql.Integer, primary_key=True),
    sql.Column("body", sql.Text, nullable=False),
)
_records = sql.Table(
    "records",
    TABLES,
    sql.Column("run", sql.String(40), primary_key=True),
    sql.Column("point", sql.String(40), primary_key=True),
    sql.Column("status", sql.String(20), nullable=False, index=True),
    sql.Column("started_at", sql.String(40), nullable=False),
    sql.Column("finished_at", sql.String(40), nullable=False),
    sql.Column("fingerprint", sql.String(40), nullable=False, index=True),
    sql.Column("body", sql.Text, nullable=False),
)
#: Added after layout 1 was released; a store that lacks them gets them when they are first written.
_baselines = sql.Table(
    "baselines",
    TABLES,
    sql.Column("name", sql.String(200), primary_key=True),
    sql.Column("run", sql.String(40), nullable=False),
    sql.Column("set_at", sql.String(40), nullable=False),
)
_pairs = sql.Table(
    "pairs",
    TABLES,
    sql.Column("run", sql.String(40), primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("body", sql.Text, nullable=False),
)


@dataclass(frozen=True)
class Baseline:
    """A name for a run: `set_at` is when it was given, ISO 8601."""

    name: str
    run: str
    set_at: str


@dataclass(frozen=True)
class Run:
    """What was asked for, by whom it can be continued: points in order, settings, host, text and other inputs."""

    run: str
    name: str
    started_at: str
    points: tuple[dict[str, Value], ...]
    settings: dict[str, Value]
    corpus: str
    host: dict[str, Value | None]
    inputs: Inputs = NOTHING
    #: By device and threads (`bench.run_ceilings.key`), then by the figure's name.
    ceilings: dict[str, dict[str, Ceiling]] = dataclasses.field(default_factory=dict)


class Store:
    """An open store. Every method that writes commits; every error is a `UserError` that says what to do."""

    def __init__(self, engine: sql.Engine, where: str, temporary: tempfile.TemporaryDirectory[str] | None) -> None:
        self._engine = engine
        self._temporary = temporary
        self.where = where

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Fold the log into the file, so that the file alone can be copied, and let go of it."""
        if self._engine.dialect.name == "sqlite" and self._temporary is None:
            try:
                with self._engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            except SQLAlchemyError:
                pass  # a full or read-only disk: the log stays beside the file, and is read from there
        self._engine.dispose()
        if self._temporary is not None:
            self._temporary.cleanup()

    @contextmanager
    def _writing(self) -> Iterator[sql.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise UserError(
                f"The store {self.where} could not be written: {error.orig}.",
                "Free some space or choose another --output-dir. What was measured is kept; sweeps can --resume.",
            ) from error

    @contextmanager
    def _reading(self) -> Iterator[sql.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DatabaseError as error:
            raise unreadable(self.where, error) from error

    @contextmanager
    def understood(self, what: str) -> Iterator[None]:
        """Turns what reading something damaged raises into a `UserError` that names it."""
        try:
            yield
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise UserError(
                f"{what} in {self.where} is damaged, or from another version: {error}.",
                "Read it with the pinchpoint that wrote it, or upgrade: pip install --upgrade pinchpoint.",
            ) from error

    def add_run(self, run: Run) -> None:
        """Begin a run."""
        body = json.dumps(dataclasses.asdict(run))
        row = {"run": run.run, "name": run.name, "started_at": run.started_at, "body": body}
        with self._writing() as connection:
            connection.execute(_runs.insert(), row | {"fingerprint": str(run.host["fingerprint"])})

    def keep_ceilings(self, run: Run) -> None:
        """Keep the ceilings of a run that was begun before they were known."""
        with self._writing() as connection:
            body = json.dumps(dataclasses.asdict(run))
            connection.execute(_runs.update().where(_runs.c.run == run.run).values(body=body))

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        with self._reading() as connection:
            rows = connection.execute(sql.select(_runs.c.body).order_by(_runs.c.started_at, _runs.c.run)).scalars()
            bodies = list(rows)
        with self.understood("A run"):
            return [_run(json.loads(body)) for body in bodies]

    def measured(self) -> set[str]:
        """Ids of the runs of which anything was measured."""
        with self._reading() as connection:
            found = sql.union(sql.select(_blocks.c.run), sql.select(_records.c.run))
            return set(connection.execute(found).scalars())

    def add_child(self, run: str, point: str, process: int, report: dict[str, Any]) -> None:
        """Keep what a process reported of the model it built."""
        row = {"run": run, "point": point, "process": process, "body": json.dumps(report)}
        with self._writing() as connection:
            connection.execute(_children.insert(), row)

    def add_to_child(self, run: str, point: str, process: int, more: dict[str, Any]) -> None:
        """Add to what a process has reported, and to its facts those of `more`."""
        its = sql.and_(_children.c.run == run, _children.c.point == point, _children.c.process == process)
        with self._writing() as connection:
            report = json.loads(connection.execute(sql.select(_children.c.body).where(its)).scalar_one())
            facts = {"facts": report.get("facts", {}) | more.get("facts", {})}
            connection.execute(_children.update().where(its).values(body=json.dumps(report | more | facts)))

    def children(self, run: str, point: str) -> list[dict[str, Any]]:
        """What each process of the point reported, in order."""
        chosen = sql.select(_children.c.body).where(_children.c.run == run, _children.c.point == point)
        with self._reading() as connection:
            return [json.loads(body) for body in connection.execute(chosen.order_by(_children.c.process)).scalars()]

    def add_block(self, run: str, point: str, block: Block) -> None:
        """Keep a block; it is on disk when this returns."""
        body = json.dumps(dataclasses.asdict(block), separators=(",", ":"))
        row = {"run": run, "point": point, "kind": block.kind, "round": block.round, "body": body}
        with self._writing() as connection:
            connection.execute(_blocks.insert(), row)

    def blocks(self, run: str, point: str) -> list[Block]:
        """The blocks of a point, in the order in which they were measured."""
        chosen = sql.select(_blocks.c.body).where(_blocks.c.run == run, _blocks.c.point == point)
        with self._reading() as connection:
            found = [block_of(json.loads(body)) for body in connection.execute(chosen).scalars()]
        return sorted(found, key=lambda block: (block.process, block.kind != "timed", block.round))

    def put_record(self, record: Record) -> None:
        """Keep the record of a point, in place of an earlier one of the same run."""
        body = json.dumps(dataclasses.asdict(dataclasses.replace(record, blocks=[])), separators=(",", ":"))
        row = {"run": record.run, "point": record.point, "status": record.status, "body": body}
        row |= {"started_at": record.started_at, "finished_at": record.finished_at}
        row |= {"fingerprint": str(record.host.get("fingerprint"))}
        same = sql.and_(_records.c.run == record.run, _records.c.point == record.point)
        with self._writing() as connection:
            connection.execute(_records.delete().where(same))
            connection.execute(_records.insert(), row)

    def records(self, run: str, *, with_blocks: bool = True) -> list[Record]:
        """The records of a run, complete with their blocks unless told otherwise, in the order of its points."""
        with self._reading() as connection:
            rows = connection.execute(sql.select(_records.c.point, _records.c.body).where(_records.c.run == run)).all()
            blocks: dict[str, list[dict[str, Any]]] = {}
            chosen = sql.select(_blocks.c.point, _blocks.c.body).where(_blocks.c.run == run)
            for point, body in connection.execute(chosen) if with_blocks else ():
                blocks.setdefault(point, []).append(json.loads(body))
        found = []
        for point, body in rows:
            raw = dict(upgrade(json.loads(body)))
            ordered = sorted(blocks.get(point, []), key=lambda b: (b["process"], b["kind"] != "timed", b["round"]))
            found.append(from_json(json.dumps(raw | {"blocks": ordered})))
        return found

    def set_baseline(self, baseline: Baseline) -> None:
        """Give a run a name, in place of the run that had it."""
        with self._writing() as connection:
            _baselines.create(connection, checkfirst=True)
            connection.execute(_baselines.delete().where(_baselines.c.name == baseline.name))
            connection.execute(_baselines.insert(), dataclasses.asdict(baseline))

    def remove_baseline(self, name: str) -> None:
        """Take a name from its run; the run stays. A name that no run has is none to remove."""
        if self._has(_baselines):
            with self._writing() as connection:
                connection.execute(_baselines.delete().where(_baselines.c.name == name))

    def baselines(self) -> list[Baseline]:
        """Every named run, in the order of their names."""
        if not self._has(_baselines):
            return []
        with self._reading() as connection:
            rows = connection.execute(sql.select(_baselines).order_by(_baselines.c.name)).mappings()
            return [Baseline(**row) for row in rows]

    def add_pair(self, run: str, number: int, pair: dict[str, Any]) -> None:
        """Keep what a pair of processes measured; it is on disk when this returns."""
        with self._writing() as connection:
            _pairs.create(connection, checkfirst=True)
            body = json.dumps(pair, separators=(",", ":"))
            connection.execute(_pairs.insert(), {"run": run, "number": number, "body": body})

    def pairs(self, run: str) -> list[dict[str, Any]]:
        """What the pairs of processes of a run measured, in order."""
        if not self._has(_pairs):
            return []
        chosen = sql.select(_pairs.c.body).where(_pairs.c.run == run).order_by(_pairs.c.number)
        with self._reading() as connection:
            return [json.loads(body) for body in connection.execute(chosen).scalars()]

    def _has(self, table: sql.Table) -> bool:
        with self._reading() as connection:
            return sql.inspect(connection).has_table(table.name)

    def statuses(self, run: str) -> dict[str, str]:
        """Point id -> status, for every point of the run that has a record."""
        with self._reading() as connection:
            rows = connection.execute(sql.select(_records.c.point, _records.c.status).where(_records.c.run == run))
            return {row.point: row.status for row in rows}


def _run(body: dict[str, Any]) -> Run:
    inputs = Inputs(**body.get("inputs", {}))
    ceilings = {
        whose: {name: ceiling_of(raw) for name, raw in figures.items()}
        for whose, figures in body.get("ceilings", {}).items()
    }
    return Run(**(body | {"points": tuple(body["points"]), "inputs": inputs, "ceilings": ceilings}))


def unreadable(where: str, error: DatabaseError) -> UserError:
    """What a failed read of the store at `where` means to a user."""
    reason = str(error.orig)
    if "full" in reason:
        return UserError(f"The disk that holds {where} is full.", "Free some space, or choose another --output-dir.")
    return UserError(
        f"{where} cannot be read as a store of pinchpoint: {reason}.",
        "Name the folder of a sweep, or its .sqlite file.",
    )
