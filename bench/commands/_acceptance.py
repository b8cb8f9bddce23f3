"""Acceptance packs: writing one for `pinchpoint project --rfp`, and judging what came back for `pinchpoint compare`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench import axes, files, points, spec
from bench.errors import UserError
from bench.record import Record, Value

if TYPE_CHECKING:
    from reports.acceptance import Pack
    from reports.acceptance_offers import Offer
    from reports.projection.answers import Answer, Option

_LIMITS = "limits.toml"
#: What a pack's sweep has where nothing else is said: time for all processes that an interval takes, on slow machines.
_SETTINGS = {"point_budget": 600.0}


@dataclass(frozen=True)
class Written:
    """What was written: the files, the digits that stand for the pack, and what it does not ask for, with reasons."""

    folder: Path
    seal: str
    points: int
    requirements: int
    left_out: tuple[str, ...]


def write(
    folder: Path,
    source: "Answer | Sequence[Record]",
    *,
    title: str,
    factor: float = 1.0,
    metrics: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
    settings: Mapping[str, object] | None = None,
    terms: Sequence[str] = (),
    runs: Mapping[str, Value] | None = None,
    option: "Option | None" = None,
    energy: bool = False,
    overwrite: bool = False,
) -> Written:
    """Write a pack into `folder`, with limits from a projection's answer or from own records.

    `factor` is how many times as good as the source it must be; `weights` are by metric; `settings` are those of the
    sweep; `terms` go beside the ones that every pack has. `metrics` count for records alone; `runs` (the axes by which
    pinchpoint builds the model, None where it cannot), `option` and `energy` for an answer alone, as in
    `reports.acceptance_limits.from_answer`. Raises `UserError` where there is a pack already, unless told to
    `overwrite` it, where nothing can be asked for, and where the settings allow no interval.
    """
    from datetime import UTC, datetime

    from bench import planning
    from reports import acceptance_files, acceptance_instructions, acceptance_limits
    from reports.acceptance import SCHEMA, Pack
    from reports.certainty import fewest_processes
    from reports.labels import plain

    chosen = spec.choose_settings(_SETTINGS | dict(settings or {}))
    if int(chosen["repetitions"]) < fewest_processes():
        raise UserError(
            f"{chosen['repetitions']} processes a point give no interval, so nothing could be judged.",
            f"Allow {fewest_processes()} or more: --repetitions.",
        )
    _refuse_present(folder, overwrite)
    if isinstance(source, Sequence):
        found = acceptance_limits.from_records(source, metrics, factor, weights)
    else:
        found = acceptance_limits.from_answer(source, runs, option, factor, weights, energy=energy)
    pack = Pack(
        SCHEMA,
        plain(title) or "Acceptance",
        datetime.now(UTC).isoformat(timespec="seconds"),
        found.requirements,
        _version(),
        chosen,
        (*acceptance_instructions.TERMS, *map(plain, terms)),
        found.left_out,
    )
    texts = {acceptance_files.SPEC: acceptance_files.spec(pack), _LIMITS: acceptance_files.limits(pack)}
    sweep = _spec(pack, texts[acceptance_files.SPEC])
    # files of a model may be elsewhere, and how fast an accelerator builds and warms up is not guessed
    known = pack.model is None and isinstance(source, Sequence)
    seconds = planning.estimate_s(sweep) if known else None
    seals = acceptance_files.seals(texts)
    seal = acceptance_files.seal(seals)
    texts[acceptance_files.INSTRUCTIONS] = acceptance_instructions.render(pack, seal, seconds)
    texts[acceptance_files.SEALS] = seals  # the last: a pack that was not written to its end is noticed
    for name, text in texts.items():
        files.write(folder / name, text)
    return Written(folder, seal, len(pack.points), len(pack.requirements), pack.left_out)


def is_pack(name: str) -> bool:
    """Whether `name` is the folder of a pack."""
    return (Path(name) / _LIMITS).is_file()


def judge(folder: str, returned: Sequence[str], store: str, output: str, *, anyway: bool = False) -> int:
    """Judge what came back, print it, and return the exit code: of several that of the best."""
    from reports import acceptance_files, acceptance_json, acceptance_table
    from reports.acceptance_offers import placed

    texts = _texts(Path(folder))
    _refuse_changed(folder, texts, anyway)
    pack = acceptance_files.parse(texts[_LIMITS], str(Path(folder) / _LIMITS))
    _spec(pack, texts[acceptance_files.SPEC])
    offers = placed([_offer(pack, name, store) for name in returned])
    seal = acceptance_files.seal(texts[acceptance_files.SEALS])
    if output == "json":
        click.echo(acceptance_json.render(offers, seal), nl=False)
    else:
        from rich.console import Console

        console = Console(highlight=False)
        for offer in offers:
            acceptance_table.print_verdicts(offer, console)
            click.echo()
        if len(offers) > 1:
            acceptance_table.print_offers(offers, console)
        click.echo(f"Pack {seal}.")
    best = f"{offers[0].label}: " if len(offers) > 1 else ""
    click.echo(best + acceptance_table.answer(offers[0].verdicts), err=output != "table")
    return offers[0].verdicts.exit_code


def _offer(pack: "Pack", name: str, store: str) -> "Offer":
    from bench import references
    from reports import acceptance
    from reports.acceptance_offers import Offer

    found = references.find(name, store)
    verdicts = acceptance.judge(pack, found.records, found.settings)
    others = {record.run for record in found.past}
    note = f"It holds other runs of these points too ({len(others)}); the newest one, {found.runs[-1]}, was judged."
    return Offer(name, verdicts, (note,) if others else ())


def _spec(pack: "Pack", text: str) -> spec.Spec:
    """The spec of the pack. Raises `UserError` where it has other points or settings than the limits are about."""
    read = spec.parse(text, "spec", {}, {})
    run = {each if each.axes["architecture"] != "hf" else _of_model(each, pack.model) for each in read.points}
    if run != set(pack.points) or read.settings != pack.settings:
        raise UserError("The spec and the limits of the pack are not of the same points.", "Write the pack anew.")
    return read


def _of_model(point: points.Point, model: str | None) -> points.Point:
    """The point as a run has it: a spec leaves the model of transformers to `--model`."""
    return points.point({**point.axes, "model": model or "none", "size": axes.OWN_SIZE})


def _texts(folder: Path) -> dict[str, str]:
    from reports import acceptance_files

    found = {}
    for name in (acceptance_files.SPEC, _LIMITS, acceptance_files.SEALS):
        try:
            found[name] = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{folder} is no whole pack: {name} cannot be read.", "Write the pack anew.") from error
    return found


def _refuse_changed(folder: str, texts: Mapping[str, str], anyway: bool) -> None:
    from reports import acceptance_files, labels

    if different := acceptance_files.changed(texts, texts[acceptance_files.SEALS]):
        said = f"{labels.listed(different)} of {folder} {'was' if len(different) == 1 else 'were'} changed"
        if not anyway:
            raise UserError(
                f"{said} after the pack was written.", "Judge by the pack as it was sent, or all the same: --anyway."
            )
        click.echo(f"{said} after the pack was written (--anyway).", err=True)


def _refuse_present(folder: Path, overwrite: bool) -> None:
    from reports import acceptance_files

    names = (acceptance_files.SPEC, _LIMITS, acceptance_files.INSTRUCTIONS, acceptance_files.SEALS)
    there = [name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise UserError(
            f"{folder} holds {there[0]} already.", "Choose another folder, or replace the pack with --overwrite."
        )


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pinchpoint")
    except PackageNotFoundError:
        return None
