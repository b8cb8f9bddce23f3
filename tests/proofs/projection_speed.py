"""How long it takes to project 20 workloads to 100 devices with 2,000 draws each, once the calibration is loaded.

Both are timed in the way that a user meets them: the first answer of a process draws the effects of the calibration,
the others use them. Each run starts without what an earlier one has kept. Beside the target stand the loading of the
calibration and whole answers, with costs, ranking and what the decision hangs on.
"""

import cProfile
import os
import pstats
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from reports import datasheets, procure
from reports.projection import calibrated, calibration, mixed, models, outlook, trust
from reports.projection.answers import Assumptions, Candidate, Refusal, Use, Workload
from tests.proofs.proof import Outcome, main, table

LIMIT_S = 2.0
DEVICES, WORKLOADS, DRAWS = 100, 20, 2000
MODELS = ("Llama-3.1-8B", "Qwen2.5-14B", "Mixtral-8x7B", "Llama-3.3-70B", "Qwen3-32B")
FORMATS = ("fp16", "int4-weight")
MIXES = (
    (Use("chat", 1.0, 512, 256),),
    (Use("chat", 0.7, 512, 256), Use("summarize", 0.3, 4096, 300)),
)
#: Engine, limit of the time to the first token, limit of the time per further token, demand in tokens/s.
ASKED = (("vllm", 0.5, 0.05, 5000.0), (None, None, None, None), ("tensorrt-llm", None, 0.03, None))


def workloads() -> list[Workload]:
    """Models x formats x mixes, with the engines and limits in turn."""
    found = []
    for place, (name, weights, mix) in enumerate(product(MODELS, FORMATS, MIXES)):
        engine, ttft, tpot, demand = ASKED[place % len(ASKED)]
        found.append(Workload(models.named(name), weights, "fp16", mix, engine, demand, ttft, tpot))
    return found


def devices() -> list[datasheets.Device]:
    """The first devices of the catalogue of which there are figures to project to."""
    known = [each for each in datasheets.shipped().device if each.peaks and each.memory]
    return known[:DEVICES]


def load() -> calibrated.Calibrated:
    """The calibration from its files to the fitted models, as at the start of a process."""
    for kept in (calibration.shipped, calibration.by_name, models.published, datasheets.shipped, calibrated.shipped):
        kept.cache_clear()
    return calibrated.shipped()


def forget() -> None:
    """What earlier answers have kept."""
    for kept in (mixed._effects, mixed._normal, trust._engine):
        kept.cache_clear()


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of one run."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def where(work: Callable[[], object], functions: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The shares of some functions (file, name) in the time of `work`, what they call included."""
    profile = cProfile.Profile()
    profile.runcall(work)
    stats = pstats.Stats(profile)
    rows = []
    for file, name in functions:
        spent = sum(
            each[3] for (path, _, function), each in stats.stats.items() if (Path(path).name, function) == (file, name)
        )
        rows.append([f"{file.removesuffix('.py')}.{name}", f"{spent / stats.total_tt:.0%}"])
    return rows


def prove(quick: bool) -> Outcome:
    """Time the loading, the outlooks of all workloads, and whole answers."""
    runs = 5 if quick else 15
    loading = [seconds(load) for _ in range(3 if quick else 10)]
    calibration_models, asked, chosen = calibrated.shipped(), workloads(), devices()
    assert (len(asked), len(chosen)) == (WORKLOADS, DEVICES)
    candidates: list[tuple[Candidate, ...]] = [procure.candidates(workload, chosen) for workload in asked]

    def project() -> None:
        forget()
        for workload, those in zip(asked, candidates, strict=True):
            outlook.outlooks(calibration_models, workload, those, DRAWS)

    def answer() -> None:
        forget()
        for workload, those in zip(asked, candidates, strict=True):
            procure.answer(workload, those, Assumptions(), calibration_models, draws=DRAWS)

    told = {
        "loading the calibration": loading,
        f"{WORKLOADS} workloads x {DEVICES} devices x {DRAWS} draws": [seconds(project) for _ in range(runs)],
        "the same with costs, ranks and levers": [seconds(answer) for _ in range(max(runs // 3, 2))],
    }
    rows = [
        [
            name,
            f"{min(w for w, _ in times):.3f} s",
            f"{max(w for w, _ in times):.3f} s",
            f"{min(c for _, c in times):.3f} s",
        ]
        for name, times in told.items()
    ]
    table(["what", "best", "slowest", "least time of processors"], rows)
    found = [
        each
        for w, those in zip(asked, candidates, strict=True)
        for each in outlook.outlooks(calibration_models, w, those, DRAWS)
    ]
    refused = sum(isinstance(each, Refusal) for each in found)
    drawn = sum(not isinstance(each, Refusal) and each.tokens_per_s.kind == "estimate" for each in found)
    print(
        f"\nOf {len(found)} answers {drawn} are draws, {len(found) - drawn - refused} bounds and {refused} refusals.\n"
    )
    functions = (
        ("outlook.py", "_fit"), ("outlook.py", "_best"), ("mixed.py", "likely"), ("efficiency.py", "terms"),
        ("efficiency.py", "ideals"), ("calibrated.py", "draws"), ("mixed.py", "_effects"), ("mixed.py", "_normal"),
        ("mixed.py", "_design"), ("outlook.py", "_drawn"), ("outlook.py", "_outlook"), ("trust.py", "judge"),
    )  # fmt: skip
    table(["where the outlooks' time goes", "share"], where(project, functions))
    print(f"\nOf {os.cpu_count()} processors; {os.getloadavg()[0]:.1f} processes were running in the last minute.")
    figure = min(wall for wall, _ in told[f"{WORKLOADS} workloads x {DEVICES} devices x {DRAWS} draws"])
    return Outcome("projection_speed", figure, "s", runs, f"<= {LIMIT_S} s", figure <= LIMIT_S)


if __name__ == "__main__":
    main(prove, __doc__)
