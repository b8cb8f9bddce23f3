"""What candidates would do: times, rates and power of one replica with 90 % intervals, all candidates in common draws.

A replica runs `batch` sequences together, each of which reads its prompt and then generates. With one sequence the two
phases follow each other; with several, prompts of some are read between the steps of others, which is what offline
benchmarks time as one. Nobody waits for a place: the time to the first token is that of reading the prompt alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from reports.projection import calibrated, counts, demand, efficiency, engines, formats, memory, power, trust
from reports.projection.answers import Candidate, Draws, Estimate, Fit, Kind, Outlook, Refusal, Use, Workload
from reports.projection.calibrated import Calibrated
from reports.projection.counts import Counts
from reports.projection.efficiency import Ideal
from reports.projection.situations import Places, Situation, Situations

#: Draws of an answer: the ends of a 90 % interval then move by about 2 % of its width from seed to seed.
DRAWS = 2000
#: No engine runs more sequences together than this by default (vLLM and TensorRT-LLM: 256 to 1024).
MOST_BATCH = 1024
#: s that launching the kernels of one layer takes, about ten of some microseconds each: to tell what a step waits for.
LAUNCHES_S = 30e-6


@dataclass(frozen=True, eq=False)
class _Runs:
    """Candidates at batches: the situations of run i, first the prompt alone of each use and then what generates, are
    row i of `rows` (runs x 2 uses)."""

    many: Situations
    ideals: efficiency.Ideals
    candidate: Places
    batch: Places
    rows: Places

    def take(self, which: Places) -> "_Runs":
        """Some of them, with the situations of those alone."""
        rows = self.rows[which]
        flat = rows.ravel()
        placed = np.arange(flat.size).reshape(rows.shape)
        return _Runs(self.many.take(flat), self.ideals.take(flat), self.candidate[which], self.batch[which], placed)


@dataclass(frozen=True, eq=False)
class _Times:
    """Seconds of each use (uses x draws; uses x runs for likely values): of a prompt alone, and of what generates.

    `batch` is one for all draws, or one a run.
    """

    prompt_s: Draws
    other_s: Draws
    batch: Any
    uses: Sequence[Use]

    @cached_property
    def job_s(self) -> Draws:
        """Seconds of a whole batch, of each use: one sequence reads its prompt first."""
        found: Draws = self.other_s + np.where(np.equal(self.batch, 1), self.prompt_s, 0.0)
        return found

    @cached_property
    def ttft_s(self) -> Draws:
        """Of the use that waits longest."""
        found: Draws = self.prompt_s.max(axis=0)
        return found

    @cached_property
    def tpot_s(self) -> Draws:
        """Mean time between two tokens of a sequence, of the slowest use."""
        steps = [np.maximum(use.output - np.equal(self.batch, 1), 1) for use in self.uses]
        found: Draws = np.max([each / count for each, count in zip(self.other_s, steps, strict=True)], axis=0)
        return found

    @cached_property
    def tokens_per_s(self) -> Draws:
        """Generated tokens of all sequences over the time of the mix."""
        found: Draws = sum(use.share * use.output for use in self.uses) * self.batch / self.mean(self.job_s)
        return found

    def mean(self, values: Draws) -> Draws:
        """The mean over the requests of the mix."""
        found: Draws = np.array([use.share for use in self.uses]) @ values
        return found


def outlooks(
    models: Calibrated, workload: Workload, candidates: Sequence[Candidate], draws: int = DRAWS, seed: int = 0
) -> tuple[Outlook | Refusal, ...]:
    """The outlook of each candidate at its best batch, or why there is none; in the order given.

    The best batch has the largest likely throughput within the limits of the workload. Draws of one answer belong
    together, those of two calls with one seed too.
    """
    fits = [_fit(workload, candidate, workload.batch or 1) for candidate in candidates]
    found: list[Outlook | Refusal | None] = [fit if isinstance(fit, Refusal) else None for fit in fits]
    able = [place for place, fit in enumerate(fits) if isinstance(fit, Fit)]
    if able:
        chosen = [candidates[place] for place in able]
        most = [min(fit.most_batch, MOST_BATCH) for fit in fits if isinstance(fit, Fit)]
        best = _best(models, workload, chosen, most)
        bridged = np.array([trust.bridges(models, each) for each in best.many.places])
        told = _drawn(models, workload, best.take(np.flatnonzero(bridged)), draws, seed)
        bounds = _bounds(workload, best.take(np.flatnonzero(~bridged)))
        for index, candidate in enumerate(chosen):
            found[able[index]] = _outlook(models, workload, candidate, next(told if bridged[index] else bounds))
    return tuple(each for each in found if each is not None)


def likely(
    models: Calibrated, workload: Workload, candidates: Sequence[Candidate]
) -> tuple[tuple[float, float] | None, ...]:
    """Of each candidate, tokens/s at its best batch, and by how much the worst limit is exceeded (1: none is).

    By likely values alone; None where it cannot run the model, and no rate (0) where there is no estimate of it.
    """
    fits = [_fit(workload, candidate, workload.batch or 1) for candidate in candidates]
    able = [place for place, fit in enumerate(fits) if isinstance(fit, Fit)]
    found: list[tuple[float, float] | None] = [None] * len(candidates)
    if able:
        most = [min(fit.most_batch, MOST_BATCH) for fit in fits if isinstance(fit, Fit)]
        best = _best(models, workload, [candidates[place] for place in able], most)
        times = _likely(models, workload, best)
        rates = times.tokens_per_s * [trust.bridges(models, each) for each in best.many.places]
        over = np.ones(len(able))
        for seconds, limit in ((times.ttft_s, workload.ttft_s), (times.tpot_s, workload.tpot_s)):
            if limit is not None:
                over = np.maximum(over, seconds / limit)
        for place, rate, beyond in zip(able, rates, over, strict=True):
            found[place] = float(rate), float(beyond)
    return tuple(found)


def _fit(workload: Workload, candidate: Candidate, batch: int) -> Fit | Refusal:
    device = candidate.device
    if (why := engines.refusal(_engine(workload), device)) is not None:
        return Refusal(candidate.label, why)
    if formats.product(device, workload.weights) is None:
        wanted = " or ".join(formats.FORMATS[workload.weights].products)
        known = (
            "no peaks of it are known: give them in a TOML file of your own (--catalogue)"
            if device.peaks is None
            else f"it has no products in {wanted}"
        )
        return Refusal(candidate.label, f"{workload.weights} cannot be computed: {known}")
    if efficiency.bandwidth(device) is None:
        return Refusal(
            candidate.label,
            "the bandwidth of its memory is not known: give it in a TOML file of your own (--catalogue)",
        )
    longest = max(workload.uses, key=lambda use: use.prompt + use.output)
    fit = memory.fit(
        workload.model, workload.weights, workload.kv, candidate, longest.prompt, longest.output, batch,
        _engine(workload),
    )  # fmt: skip
    return fit if fit.fits else Refusal(candidate.label, fit.reason or "the model does not fit")


def _engine(workload: Workload) -> str | None:
    return None if workload.engine is None else workload.engine.partition("/")[0]


def _best(models: Calibrated, workload: Workload, able: Sequence[Candidate], most: Sequence[int]) -> _Runs:
    """Each candidate at its best batch, by likely values."""
    if workload.batch is not None:
        return _runs(models, workload, able, [(workload.batch,)] * len(able))
    ladders = [demand.ladder(each) for each in most]
    runs = _runs(models, workload, able, ladders)
    times = _likely(models, workload, runs)
    # a table of candidates x batches: ladders are of different length, and the missing ends fit nowhere
    length = np.array([len(ladder) for ladder in ladders])
    step = np.arange(runs.batch.size) - (np.cumsum(length) - length)[runs.candidate]
    wide = np.ones((4, len(able), length.max()))
    wide[0] = np.iinfo(np.int32).max
    known = (runs.batch, times.ttft_s, times.tpot_s, times.tokens_per_s)
    for table, values in zip(wide, known, strict=True):
        table[runs.candidate, step] = values
    place = demand.pick(wide[0].astype(int), wide[1], wide[2], wide[3], np.array(most), workload)
    return runs.take(np.cumsum(length) - length + place)


def _likely(models: Calibrated, workload: Workload, runs: _Runs) -> _Times:
    """Likely times of each run."""
    seconds = np.exp(models.times.likely(efficiency.terms(runs.many, runs.ideals))) * runs.ideals.total_s
    seconds = np.maximum(seconds, runs.ideals.least_s)
    prompt_s, other_s = seconds[runs.rows.T].reshape(2, len(workload.uses), -1)
    return _Times(prompt_s, other_s, runs.batch, workload.uses)


def _runs(models: Calibrated, workload: Workload, able: Sequence[Candidate], ladders: Sequence[Sequence[int]]) -> _Runs:
    """Every candidate at all batches of its ladder."""
    uses = workload.uses
    jobs = [_job(workload, 1, use.prompt, 0, 0) for use in uses]
    batches = sorted({batch for ladder in ladders for batch in ladder})
    for batch in batches:
        for use in uses:
            alone = (max(use.output - 1, 1), use.prompt)
            prompt, output, depth = (0, *alone) if batch == 1 else (use.prompt, use.output, 0)
            jobs.append(_job(workload, batch, prompt, output, depth))
    engine, _, backend = (workload.engine or "").partition("/")
    asked = Situation(
        able[0].device,
        engine or None,
        workload.weights,
        jobs[-1],
        backend=backend or None,
        source=calibrated.measurer(models, engine or None),
        year=calibrated.year(models, engine or None),
    )
    places = [replace(asked, device=each.device, devices=each.devices, split=each.split) for each in able]
    candidate = np.repeat(np.arange(len(able)), [len(ladder) for ladder in ladders])
    batch_of = np.array([batch for ladder in ladders for batch in ladder])
    first = len(uses) * (1 + np.searchsorted(batches, batch_of))
    each_use = np.arange(len(uses))
    job = np.hstack([np.tile(each_use, (batch_of.size, 1)), first[:, None] + each_use])
    many = Situations(places, jobs, np.repeat(candidate, 2 * len(uses)), job.ravel())
    return _Runs(many, efficiency.ideals(many), candidate, batch_of, np.arange(job.size).reshape(job.shape))


def _job(workload: Workload, batch: int, prompt: int, output: int, depth: int) -> Counts:
    weights, kv = formats.FORMATS[workload.weights].bytes, formats.FORMATS[workload.kv].bytes
    return counts.job(workload.model, weights, kv, batch=batch, prompt=prompt, output=output, depth=depth)


@dataclass(frozen=True, eq=False)
class _Told:
    """What is known of one candidate at its batch; `load_W` is None where no limit of its power is known."""

    times: _Times
    load_W: Draws | None
    situation: Situation
    ideal: Ideal
    kinds: tuple[Kind, Kind] = ("estimate", "estimate")


def _drawn(models: Calibrated, workload: Workload, runs: _Runs, draws: int, seed: int) -> Iterator[_Told]:
    """All candidates in common draws."""
    if not runs.batch.size:
        return
    uses = len(workload.uses)
    seconds, shares = calibrated.draws(models, runs.many, runs.ideals, draws, seed)
    for rows, batch in zip(runs.rows, runs.batch.tolist(), strict=True):
        times = _Times(seconds[rows[:uses]], seconds[rows[uses:]], batch, workload.uses)
        situation = runs.many.at(rows[uses])
        load = None
        if situation.device.power is not None:
            energy = times.other_s * shares[rows[uses:]]
            if batch == 1:
                energy += times.prompt_s * shares[rows[:uses]]
            load = times.mean(energy) / times.mean(times.job_s) * (situation.device.power.limit_W * situation.devices)
        yield _Told(times, load, situation, runs.ideals.one(rows[uses]))


def _bounds(workload: Workload, runs: _Runs) -> Iterator[_Told]:
    """What physics allows and no more: nothing bridges from what was measured to these devices."""
    uses = len(workload.uses)
    for rows, batch in zip(runs.rows, runs.batch.tolist(), strict=True):
        seconds = runs.ideals.least_s[rows][:, None]
        situation = runs.many.at(rows[uses])
        limit = situation.device.power
        load = None if limit is None else np.array([limit.limit_W * situation.devices * power.MOST])
        times = _Times(seconds[:uses], seconds[uses:], batch, workload.uses)
        yield _Told(times, load, situation, runs.ideals.one(rows[-1]), ("at_least", "at_most"))


def _outlook(models: Calibrated, workload: Workload, candidate: Candidate, told: _Told) -> Outlook:
    times, load, (of_times, of_rates) = told.times, told.load_W, told.kinds
    fit = _fit(workload, candidate, times.batch)
    assert isinstance(fit, Fit), "the best batch fits"
    longest = max(range(len(workload.uses)), key=lambda place: workload.uses[place].prompt)
    rate = times.tokens_per_s
    return Outlook(
        candidate=candidate,
        fit=fit,
        batch=times.batch,
        ttft_s=Estimate(times.ttft_s, "s", of_times),
        tpot_s=Estimate(times.tpot_s, "s", of_times),
        tokens_per_s=Estimate(rate, "tokens/s", of_rates),
        prefill_tokens_per_s=Estimate(workload.uses[longest].prompt / times.prompt_s[longest], "tokens/s", of_rates),
        power_W=None if load is None else Estimate(load, "W", of_rates),
        joules_per_token=None if load is None or of_times != "estimate" else Estimate(load / rate, "J/token"),
        trust=trust.judge(models, workload, told.situation),
        limited_by=_limited_by(told),
    )


def _limited_by(told: _Told) -> str:
    """The largest part of the ideal time; launches, where short kernels cost more than all of it."""
    counts, ideal = told.situation.counts, told.ideal
    launches = counts.layers * LAUNCHES_S * max(counts.steps, 1)
    short = launches > ideal.total_s and told.kinds[0] == "estimate"
    return "launches" if short and float(np.median(told.times.other_s[0])) > 2 * ideal.total_s else ideal.wall
