"""Finds a store, makes one, and refuses what is none: a folder, a file or an SQLAlchemy URL."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, NoSuchModuleError, SQLAlchemyError

from bench.errors import UserError
from bench.files import make_folder
from bench.store import LAYOUT, LAYOUTS, TABLES, Store, unreadable

FILE_NAME = "pinchpoint.sqlite"
#: How every SQLite file begins (its file format, section 1.3).
_MAGIC = b"SQLite format 3\0"


def open_store(where: str, *, create: bool = False) -> Store:
    """Open a folder, a file or an SQLAlchemy URL; a read-only one is opened as such.

    With `create`, `where` is a folder or a URL, and is made; without, it must exist.

    Raises `UserError` where there is none, where it is no store of ours, or where a newer pinchpoint wrote it.
    """
    if "://" in where:
        return _checked(_engine_of_url(where), _without_password(where), create, None)
    path = Path(where)
    if create or path.is_dir():
        path = path / FILE_NAME
    if create:
        make_folder(path.parent)
    elif not path.is_file():
        raise UserError(f"There is no store at {where}.", "Name the folder of a sweep, its .sqlite file, or a URL.")
    if path.exists():
        _refuse_foreign(path)
    if create or _writable(path):
        return _checked(_sqlite(str(path)), str(path), create, None)
    return _read_only(path)


def _refuse_foreign(path: Path) -> None:
    """Look before anything is changed: setting up WAL mode would already write into a file that is not ours."""
    try:
        with path.open("rb") as file:
            ours = file.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise UserError(f"The store {path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if not ours:
        raise UserError(f"{path} is no store of pinchpoint.", "Name the folder of a sweep, or its .sqlite file.")


def _writable(path: Path) -> bool:
    """Whether the log can be written beside the file (asked by trying: permission bits do not bind root)."""
    try:
        with path.open("r+b"), tempfile.TemporaryFile(dir=path.parent):
            return True
    except OSError:
        return False


def _read_only(path: Path) -> Store:
    """SQLite needs to write beside a file in WAL mode, so one in a read-only folder is opened `immutable`.

    An `immutable` file is read without its log: where one was left behind, both are copied to a folder of our own.
    """
    log = path.with_name(path.name + "-wal")
    try:
        if not log.exists() or log.stat().st_size == 0:
            return _checked(_sqlite(f"{path.resolve().as_uri()}?immutable=1", uri="true"), str(path), False, None)
        temporary = tempfile.TemporaryDirectory(prefix="pinchpoint-")
        for each in (path, log):
            shutil.copy(each, temporary.name)
    except OSError as error:
        raise UserError(
            f"The store {path} cannot be read: {error.strerror}.", "Copy it to a folder of yours."
        ) from error
    return _checked(_sqlite(str(Path(temporary.name) / path.name)), str(path), False, temporary)


def _sqlite(database: str, **query: str) -> sql.Engine:
    return _configured(sql.URL.create("sqlite", database=database, query=query))


def _configured(url: sql.URL) -> sql.Engine:
    engine = sql.create_engine(url)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.execute("PRAGMA busy_timeout = 10000")
        # NORMAL keeps every commit through a killed process; a small log also fits on a nearly full disk.
        for pragma in ("synchronous = NORMAL", "wal_autocheckpoint = 64"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _engine_of_url(url: str) -> sql.Engine:
    try:
        return _configured(sql.make_url(url)) if url.startswith("sqlite") else sql.create_engine(url)
    except (SQLAlchemyError, ImportError, NoSuchModuleError) as error:
        raise UserError(
            f"The store {_without_password(url)} cannot be opened: {error}.",
            "Install its driver, for example: pip install 'pinchpoint[postgres]'.",
        ) from error


def _without_password(url: str) -> str:
    try:
        return sql.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "(a malformed URL)"


def _checked(engine: sql.Engine, where: str, create: bool, temporary: tempfile.TemporaryDirectory[str] | None) -> Store:
    try:
        with engine.connect() as connection:
            present = sql.inspect(connection).get_table_names()
            layout = connection.execute(sql.select(LAYOUTS.c.layout)).scalar() if LAYOUTS.name in present else None
        if layout is None and not present and create:
            if engine.dialect.name == "sqlite":
                with engine.connect() as connection:
                    # This mode is kept in the file: readers and a writer do not wait for each other.
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            with engine.begin() as connection:
                TABLES.create_all(connection)
                connection.execute(LAYOUTS.insert(), {"layout": LAYOUT})
            layout = LAYOUT
    except DatabaseError as error:
        raise unreadable(where, error) from error
    if layout is None:
        raise UserError(f"{where} is no store of pinchpoint.", "Name the folder of a sweep, or its .sqlite file.")
    if layout > LAYOUT:
        raise UserError(
            f"The store {where} was written by a newer pinchpoint (layout {layout}; this one reads up to {LAYOUT}).",
            "Upgrade it: pip install --upgrade pinchpoint.",
        )
    return Store(engine, where, temporary)
