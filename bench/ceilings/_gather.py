"""The parent's side: every ceiling measured in a child, or taken from the cache."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from bench import ceilings, host
from bench.ceilings import Ceiling, Measured, Setting, _cache
from bench.errors import UserError
from bench.executors.local import Child, ChildFailed, cache_folder
from bench.record import Value

#: A ceiling that has not been found by then is given up: all together took 43 s on two cores.
LIMIT_S = 180.0

#: Called before each ceiling with its name, how many are done, and how many there are.
Notify = Callable[[str, int, int], None]


def obtain(
    device: str, threads: int, *, refresh: bool = False, notify: Notify = lambda *_: None
) -> tuple[Measured, str | None]:
    """The ceilings of this machine, from the cache where they are younger than a month; and why they were not kept.

    Raises `UserError` where the cache is of another host, unless it is to be refreshed.
    """
    facts = host.describe()
    file = _cache.path(facts, device, threads)
    kept = None if refresh else _cache.read(file, facts)
    if kept is not None:
        return kept, None
    measured = gather(Setting(device, threads, str(cache_folder())), facts, notify)
    try:
        _cache.write(file, measured)
    except UserError as error:
        return measured, error.message
    return measured, None


def gather(setting: Setting, facts: Mapping[str, Value | None], notify: Notify) -> Measured:
    """Measure every ceiling, one after the other so that none disturbs another, in a child that is resident.

    Where the child fails, its ceiling is missing with the reason, and a fresh child measures the rest.
    """
    names = ceilings.names()
    found: dict[str, dict[str, Ceiling]] = {}
    child: Child | None = None
    try:
        for done, name in enumerate(names):
            notify(name, done, len(names))
            try:
                if child is None:
                    child = Child()
                    child.ask(None, LIMIT_S)
                found[name] = _ask(child, name, setting)
            except ChildFailed as failed:
                found[name] = {name: ceilings.missing(name, "", 1, f"{failed.status}: {failed.reason.rstrip('.')}.")}
                if child is not None:
                    child.kill()
                child = None
        if child is not None:
            child.ask_to_finish()
            child.finish()
    finally:
        if child is not None:
            child.kill()
    load = facts["load_1min"]
    return Measured(
        _cache.SCHEMA,
        str(facts["fingerprint"]),
        _cache.host_name(facts),
        setting.device,
        setting.threads,
        datetime.now(UTC).isoformat(timespec="seconds"),
        None if load is None else float(load),
        found,
    )


def _ask(child: Child, name: str, setting: Setting) -> dict[str, Ceiling]:
    answer = child.ask({"do": "ceiling", "name": name, "setting": asdict(setting)}, LIMIT_S)
    return {figure: Ceiling(**content) for figure, content in answer["ceiling"].items()}
