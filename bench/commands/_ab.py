"""What `pinchpoint ab` does between its flags and its answer: sides, measuring, keeping, reading, and the search for
the commit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UserError
from bench.gate import Limit

if TYPE_CHECKING:
    from bench.ab.engine import Match, Notify
    from bench.ab.pairs import Pair
    from bench.ab.sides import Environment
    from bench.ab.source import Source
    from bench.store import Run, Store
    from reports.comparison import Comparison, Finding
    from reports.paired import Measured, Rules

#: The name of such runs in a store, and the one thing that they keep beside their pairs.
NAME, _ABOUT = "ab", "about"
#: A step of the search takes as many pairs as the first look.
_STEP_LOOKS = (10,)


@dataclass(frozen=True)
class Asked:
    """What is to be measured, and how: `subjects` are node ids of pytest, or one spec."""

    subjects: tuple[str, ...]
    folder: Path
    python: str
    install: str
    budget_s: float
    time_limit_s: float
    limits: Mapping[str, Limit]

    @property
    def tests(self) -> bool:
        """Whether the subjects are tests, and not a spec."""
        return any(_is_test(each) for each in self.subjects)


def _is_test(subject: str) -> bool:
    path = Path(subject.partition("::")[0])
    return "::" in subject or path.suffix == ".py" or path.is_dir()


def environment(text: str, asked: Asked, say: Callable[[str], None]) -> "Environment":
    """The environment of a side. Raises `UserError` where it does not build."""
    from bench.ab import sides

    say(f"preparing {text}")
    return sides.environment(text, asked.folder, asked.python, asked.install, with_ours=not asked.tests)


def source(name: str, side: "Environment", asked: Asked) -> "Source":
    """What can be measured on a side."""
    from bench.ab.points_source import POWER, Points
    from bench.ab.tests_source import Tests
    from bench.spec import read

    if asked.tests:
        return Tests(name, side.launch, asked.subjects, asked.time_limit_s)
    if len(asked.subjects) > 1:
        raise UserError(
            f"These are {len(asked.subjects)} specs.", "Give one spec, or tests such as tests/test_a.py::test_b."
        )
    spec = read(asked.subjects[0] if asked.subjects else "ci", {}, {})
    metered = any(metric in POWER for metric in asked.limits)
    return Points(name, side.launch, spec.points, spec.settings, asked.time_limit_s, metered=metered)


def match(base: "Environment", new: "Environment", asked: Asked, notify: "Notify", **more: Any) -> "Match":
    """A measurement of the two sides that has not begun."""
    from bench.ab.engine import Match

    return Match(
        source("base", base, asked),
        source("new", new, asked),
        asked.limits,
        budget_s=asked.budget_s,
        notify=notify,
        **more,
    )


def begin(store: "Store", asked: Asked) -> "Run":
    """A run of the store that holds pairs."""
    from bench import runs
    from bench.spec import Spec

    return runs.begin(Spec(NAME, "", (), {"subjects": " ".join(asked.subjects) or "ci"}), store, "")


def keep_about(store: "Store", run: "Run", found: "Match", base: "Environment", new: "Environment") -> None:
    """Keep all that is known before the first pair."""
    differing = {
        name for name in base.packages.keys() | new.packages.keys() if base.packages.get(name) != new.packages.get(name)
    }

    def told(side: "Environment") -> dict[str, Any]:
        versions = {name: side.packages.get(name) for name in sorted(differing | {"torch"})}
        known = {"label": side.label, "commit": side.commit, "git_branch": side.branch, "python": side.python}
        return known | versions

    limits: dict[str, dict[str, float]] = {}
    for (name, metric), limit in found.key_limits().items():
        limits.setdefault(name, {})[metric] = limit.share
    about = {"base": told(base), "new": told(new), "labels": found.labels, "limits": limits, "alone": found.alone}
    store.add_child(run.run, NAME, 0, {_ABOUT: about, "ended": False, "notes": found.notes, "facts": {}})


def ended(store: "Store", run: "Run", **more: Any) -> None:
    """Keep what is known at the end."""
    store.add_to_child(run.run, NAME, 0, more)


def read(store: "Store", run: "Run") -> "tuple[Measured, list[Pair]] | None":
    """What a store has of such a run; None where it stopped before it knew what to measure."""
    from bench.ab import pairs
    from reports.paired import Measured, side

    with store.understood(f"What run {run.run} measured"):
        children = store.children(run.run, NAME)
        if not children:
            return None
        kept, about = children[0], children[0][_ABOUT]
        limits = {
            (name, metric): Limit(share) for name, own in about["limits"].items() for metric, share in own.items()
        }
        measured = Measured(
            side(about["base"]), side(about["new"]), about["labels"], limits, about["alone"], run.started_at,
            kept.get("spent_s"), bool(kept["ended"]), kept.get("culprit"), tuple(kept.get("notes", ())),
        )  # fmt: skip
        return measured, [pairs.of(each) for each in store.pairs(run.run)]


def comparison(store: "Store", run: "Run", rules: "Rules") -> "Comparison | None":
    """The comparison that a kept run amounts to."""
    from reports import paired

    found = read(store, run)
    return None if found is None else paired.comparison(*found, rules)


def comparisons(store: "Store") -> "list[Comparison]":
    """Every comparison that the store holds, the oldest first."""
    from reports.paired import Rules

    found = [comparison(store, run, Rules()) for run in store.runs() if run.name == NAME]
    return [each for each in found if each is not None and each.findings]


def labels(store: "Store", run: "Run") -> dict[str, str]:
    """Benchmark ids with their names for people."""
    found: dict[str, str] = store.children(run.run, NAME)[0][_ABOUT]["labels"]
    return found


def refuse_interpreters(sides: "tuple[Environment, Environment]") -> None:
    """Raises `UserError` where there are no commits to search."""
    if any(side.commit is None for side in sides):
        raise UserError("Only commits can be searched, not interpreters.", "Leave out --bisect.")


def culprit(
    sides: "tuple[Environment, Environment]",
    found: "Comparison",
    labels: Mapping[str, str],
    asked: Asked,
    rules: "Rules",
    notify: "Notify",
) -> str:
    """The commit that brought the worst of what failed, by id and title. `labels` are names of benchmarks by id."""
    from bench.ab import git
    from bench.ab.culprit import first_bad
    from reports import gate_words

    base, new = sides
    assert base.commit is not None
    assert new.commit is not None
    repository = git.top(asked.folder)
    commits = git.between(repository, base.commit, new.commit)
    if not commits:
        raise UserError(f"No commit lies between {base.label} and {new.label}.", "Give a --base that is older.")
    worst = gate_words.worst_first(each for each in found.findings if each.outcome == "fail")[0]
    only = frozenset(name for name, label in labels.items() if label == worst.benchmark)

    def is_bad(commit: str) -> bool | None:
        try:
            middle = environment(commit, asked, lambda _: None)
            return _as_bad(worst, only, (base, middle), asked, rules, notify)
        except UserError:
            return None

    answer = first_bad(commits, is_bad)
    told = git.title(repository, answer.commit)
    unsure = f"{told}; it may also be an earlier one, since {len(answer.unsure)} before it could not be judged"
    return unsure if answer.unsure else told


def _as_bad(
    worst: "Finding",
    only: frozenset[str],
    sides: "tuple[Environment, Environment]",
    asked: Asked,
    rules: "Rules",
    notify: "Notify",
) -> bool | None:
    """Whether a commit between is nearer to the new side than to the base; None where it cannot be told."""
    from bench.ab import pairs
    from reports import paired

    raw: list[dict[str, Any]] = []
    trial = match(*sides, asked, notify, keep=raw.append, looks=_STEP_LOOKS, only=only)
    trial.run()
    told = [paired.side({"label": each.label}) for each in sides]
    measured = paired.Measured(told[0], told[1], trial.labels, trial.key_limits(), trial.alone)
    found = paired.comparison(measured, [pairs.of(each) for each in raw], rules)
    if worst.code in {"new_fails", "only_in_base"}:
        return any(each.code == worst.code for each in found.findings)
    same = next((each for each in found.findings if each.metric == worst.metric and each.ratio), None)
    if same is None or same.ratio is None or not worst.ratio:
        return None
    return math.log(same.ratio) > math.log(worst.ratio) / 2
