"""Finished runs of a long proof, kept in the cache a line each, so that it can be ended and gone on with."""

import hashlib
import json
from pathlib import Path
from typing import Any

from bench.executors.local import cache_folder


class KeptRuns:
    """The runs of `proof` under what `told` says of its constants: runs by other constants are not mixed with these."""

    def __init__(self, proof: str, told: object) -> None:
        method = hashlib.sha256(repr(told).encode()).hexdigest()[:12]
        self.path: Path = cache_folder() / "proofs" / f"{proof}-{method}.jsonl"

    def all(self) -> list[dict[str, Any]]:
        """Every finished run, the first one first."""
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def add(self, run: dict[str, Any]) -> None:
        """Keep one more."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(run) + "\n")
