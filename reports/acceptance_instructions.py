"""What a vendor reads: what to install, run and send back, and how it will be judged. Pure."""

from bench.units import digits, duration, quantity
from reports import gate_words, labels
from reports.acceptance import Pack, Requirement
from reports.certainty import fewest_processes
from reports.render_markdown import escape

#: What holds for every pack, beside what a buyer adds.
TERMS = (
    "A limit is met where the whole 95 % interval of the returned figure meets it, and missed where the whole interval "
    "does not. Where the interval holds the limit, it cannot be told, and the point may be measured again.",
    "A point that was not run, that failed, or whose figure has no value counts as missing. It gets no number in place "
    "of its own, so there is no score, and the pack is not passed.",
    "A figure beyond its limit that was measured while other programs disturbed the machine cannot be told, nor can an "
    "energy whose meter was in doubt. Throttling is the machine's own, and excuses nothing.",
    "Records of other points, settings, machines or versions than asked for, of other tools, or without their samples "
    "are not accepted, whatever their figures.",
    "The score is the weighted geometric mean of how many times as good as its limit each figure is: 1 is as asked, "
    "more is better. It has no unit. Its interval is what it could be if all figures erred to the same side.",
    "Of several offers those that meet every limit come first, then those of which something cannot be told, then the "
    "rest; within each by score. Offers whose intervals overlap are tied.",
)


def render(pack: Pack, seal: str, seconds: tuple[float, float] | None) -> str:
    """The instructions as Markdown. `seconds` guesses how long the sweep takes, least and most; None: not known."""
    parts = [
        f"# {escape(pack.title)}",
        "You are asked to measure your machine with pinchpoint, an open benchmark, and to send back what it stores. "
        f"This pack was written on {pack.created[:10]}; its seal is `{seal}`.",
        "## 1. Install",
        _install(pack),
        "## 2. Run",
        _run(pack, seconds),
        "## 3. Send back",
        "The folder `returned`, as a whole; or, where only one file can be sent, what this prints:\n\n"
        "    pinchpoint export returned -o jsonl > returned.jsonl\n\n"
        "The folder is better: it holds the settings of the sweep too. Names of machines are left out of the file.",
        "## What must not be changed",
        "`spec.toml` and `limits.toml` are sealed; `sha256sum --check pack.sha256` says whether they are as they were "
        "sent. Give no flags that change points or settings, run all points on the one machine that is offered, in one "
        "run, and edit nothing that is stored. Power limits, clocks and drivers may be set as they will be delivered; "
        "the records name them.",
        "## What is asked",
        _table(pack),
        *([_left_out(pack)] if pack.left_out else []),
        "## How it is judged",
        "\n".join(f"- {escape(term)}" for term in pack.terms),
        "You can judge it yourself before you send it: `pinchpoint compare . returned` in this folder.",
    ]
    return "\n\n".join(parts) + "\n"


def _install(pack: Pack) -> str:
    version = f"=={pack.pinchpoint}" if pack.pinchpoint else ""
    return (
        "Python 3.11 or newer; the build of PyTorch that drives your accelerator (pytorch.org tells which); then:\n\n"
        f"    pip install pinchpoint{version}\n\n"
        + (f"Version {pack.pinchpoint} is asked for, since others may measure otherwise. " if pack.pinchpoint else "")
        + "`pinchpoint doctor` says whether the machine is fit to be measured: follow what it advises."
    )


def _run(pack: Pack, seconds: tuple[float, float] | None) -> str:
    span = "a time that depends on the model"
    if seconds is not None:
        least, most = map(duration, seconds)
        span = f"about {least if least == most else f'{least} to {most}'} (a guess)"
    name, _, digest = (pack.model or "").rpartition("@")
    parts = [
        "In this folder, on a machine that does nothing else:",
        f"    pinchpoint sweep spec.toml{f' --model {name}' if name else ''} --output-dir returned",
        f"It measures {labels.count(len(pack.points), 'point')}, in {span}, after the machine's own ceilings. "
        "The same with `--dry-run` shows the points and measures nothing. "
        "A run that was stopped goes on with `--resume`. "
        f"A figure needs {fewest_processes()} processes for its interval; the settings of the spec allow for that.",
    ]
    if name:
        parts.append(
            f"`{name}` is a model of transformers: its name on the hub, or a folder of that name. "
            f"The hash of its files begins with `{digest}`; with other files the points count as missing."
        )
    return "\n\n".join(parts)


def _table(pack: Pack) -> str:
    total = sum(each.weight for each in pack.requirements)
    rows = [f"| {' | '.join(_cells(pack, each, total))} |" for each in pack.requirements]
    return "\n".join(["| point | figure | limit | weight | where the limit is from |", "|---|---|--:|--:|---|", *rows])


def _cells(pack: Pack, each: Requirement, total: float) -> tuple[str, ...]:
    return (
        escape(pack.name(each)),
        escape(gate_words.metric(each.metric)),
        f"{each.relation} {escape(quantity(each.limit, each.unit))}",
        f"{digits(100 * each.weight / total)} %",
        escape(each.source),
    )


def _left_out(pack: Pack) -> str:
    lines = "\n".join(f"- {escape(each)}" for each in pack.left_out)
    return f"Not asked for, since it cannot be measured this way:\n\n{lines}"
