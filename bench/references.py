"""What BASE and NEW name: a store, a file of records, or a run, commit, baseline or window of runs within one."""

import re
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import exported, importers, points, runs
from bench.errors import UserError
from bench.joining import BESIDE
from bench.kinds import nearest
from bench.opening import open_store
from bench.record import Record, Value
from bench.store import Run, Store

#: Spread between runs is measured over so many of the past at most.
_MOST_PAST = 20
#: So many runs are named where none was found; a store may hold hundreds.
_MOST_NAMED = 5
#: A commit is told by this many digits at least, as git does.
_SHORTEST_COMMIT = 4
_SQLITE = b"SQLite format 3\0"
#: How a record of ours begins, alone or in a list; what it says may look like a file of another tool.
_OURS = re.compile(r'\s*\[?\s*\{\s*"schema"\s*:')
_FORMS = "latest, last:N, a run id, a git commit, a tag or branch, or a baseline"


@dataclass(frozen=True)
class Reference:
    """What a name stands for: its records (of several runs for a window), their runs, and records of other runs.

    `settings` are those of the newest run; None where they are not known, as in an export.
    """

    label: str
    records: tuple[Record, ...]
    runs: tuple[str, ...]
    past: tuple[Record, ...] = ()
    settings: Mapping[str, Value] | None = None


@dataclass(frozen=True)
class _Kept:
    """A run that can be chosen: `read` fetches its records."""

    run: str
    name: str
    commit: str | None
    host: str
    points: frozenset[str]
    read: Callable[[], list[Record]]
    settings: Mapping[str, Value] | None = None


def find(text: str, store: str, but: Collection[str] = ()) -> Reference:
    """What `text` names: `PATH`, `PATH@WHAT`, `URL@WHAT`, or WHAT within `store` where there is no such path.

    WHAT is `latest`, `last:N` (a window of the newest N runs on one machine), a run id or its beginning, a commit of
    git, a tag or branch, or a baseline of the store; without it, it is the newest run that only measured. A window
    leaves out the runs `but`: what is compared with it. Raises `UserError`, with the nearest names.
    """
    where, what = _split(text, store)
    path = Path(where)
    if "://" not in where and path.is_file() and not _is_store(path):
        return _chosen(text, where, _runs_of_file(path), {}, what, but)
    with open_store(where) as opened:
        baselines = {each.name: each.run for each in opened.baselines()}
        return _chosen(text, where, _runs_of_store(opened), baselines, what, but)


def run_of(store: Store, what: str) -> Run:
    """The one run of an open store that WHAT names, as `find` has it. Raises `UserError`, with the nearest names."""
    kept = _measured(store.where, _runs_of_store(store))
    chosen = _one(store.where, kept, {each.name: each.run for each in store.baselines()}, what)
    return next(run for run in store.runs() if run.run == chosen.run)


def _split(text: str, store: str) -> tuple[str, str]:
    """The place, and what of it. A URL may hold `@` before its host; what follows its path names a run."""
    if "://" in text:
        scheme, _, rest = text.partition("://")
        host, slash, after = rest.partition("/")
        place, _, what = after.partition("@")
        return f"{scheme}://{host}{slash}{place}", what or "latest"
    if Path(text).exists():
        return text, "latest"
    for at in (match.start() for match in re.finditer("@", text)):
        if text[:at] and Path(text[:at]).exists():
            return text[:at], text[at + 1 :] or "latest"
    if "@" in text or ("/" in text and not Path(store).exists()):
        raise UserError(f"There is no store at {text.rpartition('@')[0] or text}.", "Name a folder, a file or a URL.")
    return store, text


def _is_store(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _runs_of_store(store: Store) -> list[_Kept]:
    measured = store.measured()
    return [_kept(store, run) for run in store.runs() if run.run in measured and run.name not in BESIDE]


def _kept(store: Store, run: Run) -> _Kept:
    return _Kept(
        run.run,
        run.name,
        _text(run.host.get("git_commit")),
        str(run.host.get("fingerprint")),
        frozenset(points.point(axes).id for axes in run.points),
        lambda: runs.records(store, run),
        run.settings,
    )


def _runs_of_file(path: Path) -> list[_Kept]:
    """The runs of an export of ours, or of a file of another tool that some importer reads."""
    by_run: dict[str, list[Record]] = {}
    for record in sorted(_records(path), key=lambda record: record.started_at):
        by_run.setdefault(record.run, []).append(record)
    return [
        _Kept(
            run,
            "",
            _text(records[-1].host.get("git_commit")),
            str(records[-1].host.get("fingerprint")),
            frozenset(record.point for record in records),
            lambda records=records: records,  # type: ignore[misc]
        )
        for run, records in by_run.items()
    ]


def _records(path: Path) -> list[Record]:
    text = exported.text_of(path)
    if _OURS.match(text) is None and importers.recognised(text.encode()) is not None:
        return importers.read(path)
    return exported.read(path)


def _chosen(
    text: str, where: str, kept: list[_Kept], baselines: dict[str, str], what: str, but: Collection[str]
) -> Reference:
    kept = _measured(where, kept)
    window = re.fullmatch(r"last:(\d{1,6})", what)
    if what.startswith("last:") and (window is None or not int(window[1])):
        raise UserError(f"'{what}' is no window of runs.", "Say how many of the newest runs, such as last:5.")
    chosen = _window(kept, int(window[1]), but) if window else [_one(where, kept, baselines, what)]
    if not chosen:
        raise UserError(f"{where} has no other run than the one that is compared with it.", "Measure it once more.")
    names = {each.run for each in chosen}
    earlier = [each for each in kept if each.run not in names and each.host == chosen[-1].host][-_MOST_PAST:]
    past = tuple(record for each in earlier if each.points & chosen[-1].points for record in each.read())
    records = tuple(record for each in chosen for record in each.read())
    return Reference(text, records, tuple(each.run for each in chosen), past, chosen[-1].settings)


def _measured(where: str, kept: list[_Kept]) -> list[_Kept]:
    if not kept:
        raise UserError(f"Nothing was measured in {where} yet.", "Measure first: pinchpoint sweep.")
    return kept


def _window(kept: Sequence[_Kept], number: int, but: Collection[str]) -> list[_Kept]:
    """The newest runs on the host of the newest, that have a point in common with it."""
    left = [each for each in kept if each.run not in but]
    if not left:
        return []
    newest = left[-1]
    return [each for each in left if each.host == newest.host and each.points & newest.points][-number:]


def _one(where: str, kept: Sequence[_Kept], baselines: dict[str, str], what: str) -> _Kept:
    if what == "latest":
        return kept[-1]
    by_run = {each.run: each for each in kept}
    if what in baselines:
        if baselines[what] not in by_run:
            raise UserError(
                f"The baseline '{what}' names run {baselines[what]}, which {where} does not hold.",
                "Set it again: pinchpoint baseline set.",
            )
        return by_run[baselines[what]]
    if what in by_run:
        return by_run[what]
    begun = [each for each in kept if each.run.startswith(what)]
    commits = [each for each in kept if _is_commit(each, what)]
    if len(begun) > 1 and not commits:
        shown = ", ".join(each.run for each in begun[-_MOST_NAMED:])
        raise UserError(f"'{what}' is the beginning of {len(begun)} runs.", f"Give more of it: {shown}.")
    if begun or commits:
        return (commits or begun)[-1]
    return _of_git(where, kept, baselines, what)


def _is_commit(kept: _Kept, what: str) -> bool:
    """A commit is kept with 12 digits; a user may give 4 of them, or all 40."""
    own = (kept.commit or "").removesuffix("-dirty")
    return bool(own) and len(what) >= _SHORTEST_COMMIT and (own.startswith(what) or what.startswith(own))


def _of_git(where: str, kept: Sequence[_Kept], baselines: dict[str, str], what: str) -> _Kept:
    """The newest run of a tag or branch of the repository in the working folder."""
    commit = _revision(what)
    if commit is None:
        known = [*baselines, *(each.run for each in kept), *(each.commit for each in kept if each.commit), "latest"]
        runs_named = ", ".join(each.run for each in kept[-_MOST_NAMED:])
        raise UserError(
            f"{where} has no run '{what}'.{nearest(what, known)}",
            f"Name {_FORMS}. Its newest runs: {runs_named}"
            + (f"; baselines: {', '.join(list(baselines)[:_MOST_NAMED])}." if baselines else "."),
        )
    found = [each for each in kept if _is_commit(each, commit)]
    if not found:
        raise UserError(
            f"'{what}' is commit {commit[:12]}, of which {where} has no run.",
            f"Measure it there, or in turns with another: pinchpoint ab --base {what}.",
        )
    return found[-1]


def _revision(name: str) -> str | None:
    """The commit that a tag, branch or other revision names here; None where it names none."""
    if name.startswith("-"):
        return None
    command = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
