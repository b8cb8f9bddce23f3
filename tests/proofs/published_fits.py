"""What others said ran on which device, or ran out of memory: `published_fits.csv`, and what `memory` says of each.

A row that says no length is looked at with 512 tokens. One with a `doubt` is printed and never counted: either its
publisher did not say what was run, or it was run in a way that no setting here stands for. Training rows of Hugging
Face and torchtune used checkpointing, litgpt's did not. Devices that our catalogue lacks are named by their memory.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from reports import datasheets
from reports.datasheets import Device, Memory
from reports.projection import memory, models
from reports.projection.answers import Candidate, Fit
from reports.projection.memory import training
from tests.proofs.proof import table

PUBLISHED = Path(__file__).with_suffix(".csv")
UNSAID_TOKENS = 512
#: Verdicts so close to the limit, as a share of it, are the ones that ask for something.
NEAR = 0.2
Judged = Literal["equal", "wrong", "too close to tell", "doubted"]


@dataclass(frozen=True)
class Published:
    """A row, what `memory` says of it, and how far that may be off in bytes."""

    row: dict[str, str]
    found: Fit
    doubt_B: float

    @property
    def spare_B(self) -> float:
        """What there is beyond what is needed; negative where it is too little."""
        return self.found.have_B - self.found.need_B

    @property
    def same(self) -> bool:
        """Whether both say the same."""
        return self.found.fits == (self.row["fits"] == "yes")

    @property
    def judged(self) -> Judged:
        """Whether both say the same, where both can be believed: a close one never counts as equal."""
        if self.row["doubt"]:
            return "doubted"
        if abs(self.spare_B) < self.doubt_B:
            return "too close to tell"
        return "equal" if self.same else "wrong"

    def line(self) -> str:
        """Which it is, and by how much."""
        row = self.row
        what = f"{row['method']} of {row['model']} in {row['weights']}, batch {row['batch']}, {row['context'] or '?'}"
        where = f"{row['devices']} x {row['device']}"
        said = "ran" if row["fits"] == "yes" else "out of memory"
        why = f" ({row['doubt']})" if row["doubt"] else ""
        return f"{what} on {where}: {said}, here {self.spare_B / 1e9:+.1f} of {self.doubt_B / 1e9:.1f} GB{why}"


def read() -> list[Published]:
    """Every row with its verdict."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return [judge(row) for row in csv.DictReader(file)]


def judge(row: dict[str, str]) -> Published:
    """What `memory` says of a row."""
    model, tokens = models.published()[row["model"]], int(row["context"] or UNSAID_TOKENS)
    candidate = Candidate(_device(row), int(row["devices"]), row["split"])  # type: ignore[arg-type]  # the file's words
    chunk = int(row["chunk"]) if row["chunk"] else None
    setting = memory.Setting(chunk, flash=row["flash"] == "yes", headless=row["headless"] == "yes")
    method, batch = row["method"], int(row["batch"])
    if method in get_args(training.Method):
        rank = int(row["rank"] or 8)
        trained = training.fit(
            model,
            candidate,
            method,  # type: ignore[arg-type]
            batch,
            tokens,
            checkpointing=row["checkpointing"] == "yes",
            rank=rank,
            setting=setting,
        )
        return Published(row, trained, training.doubt_B(trained))
    weights, engine = row["weights"], row["engine"] or None
    found = memory.fit(model, weights, "fp16", candidate, tokens - 1, 1, batch, engine, setting)
    return Published(row, found, memory.doubt_B(found, weights, candidate, engine))


def share_equal(all_rows: Iterable[Published]) -> tuple[float, int]:
    """Print how the rows were judged; the share of equal verdicts among those that count, and how many those are."""
    rows = list(all_rows)
    groups = sorted({(each.row["method"], each.row["fits"]) for each in rows})
    told = []
    for method, fits in groups:
        members = [each.judged for each in rows if (each.row["method"], each.row["fits"]) == (method, fits)]
        told.append(
            [method, "ran" if fits == "yes" else "out of memory", *(str(members.count(j)) for j in get_args(Judged))]
        )
    table(["published", "said", *get_args(Judged)], told)
    for each in sorted(rows, key=lambda each: -abs(each.spare_B)):
        if each.judged == "too close to tell" or (each.judged in ("wrong", "doubted") and not each.same):
            print(f"{each.judged}: {each.line()}")
    counted = [each for each in rows if each.judged in ("equal", "wrong")]
    near = [each for each in counted if abs(each.spare_B) <= NEAR * each.found.have_B]
    equal = sum(each.judged == "equal" for each in near)
    print(f"within {100 * NEAR:.0f} % of what there is: {equal} of {len(near)} equal")
    return sum(each.judged == "equal" for each in counted) / len(counted), len(counted)


def _device(row: dict[str, str]) -> Device:
    by_name = {device.name: device for device in datasheets.shipped().device}
    name, size = row["device"], row["memory_GiB"]
    device = by_name.get(name) or Device(name, "NVIDIA", "data-center")
    if not size:
        return device
    return replace(device, memory=Memory(sources=("the row",), size_B=int(size) * 2**30))
