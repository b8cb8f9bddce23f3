"""`python -m tests.known_walls NAME --seed N` runs a case and prints observation and truth, a line of JSON."""

import argparse
import json
import tempfile
from dataclasses import asdict, replace
from random import Random

import torch

from bench import devices
from bench.errors import Unsupported
from bench.executors.local import cache_folder
from bench.observer import observe
from tests.known_walls.case import this_machine
from tests.known_walls.catalogue import MIXED, PURE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*PURE, *MIXED])
    parser.add_argument("--seed", type=int, default=0, help="what sizes are drawn with")
    arguments = parser.parse_args()
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="known-walls-") as folder:
        machine = this_machine(folder)
        devices.set_threads(machine.threads)
        try:
            case = (PURE | MIXED)[arguments.name](Random(arguments.seed), machine)
        except Unsupported as reason:
            print(json.dumps({"name": arguments.name, "seed": arguments.seed, "unsupported": str(reason)}))
            return
        try:
            observation = observe(case.step, torch.device("cpu"), machine.threads)
        finally:
            case.close()
    if not observation.caches_B:
        observation = replace(observation, caches_B={f"L{level}": size for level, size in machine.caches_B.items()})
    told = {"name": arguments.name, "seed": arguments.seed, "sizes": case.sizes, "truth": dict(case.truth)}
    print(json.dumps({**told, "observation": asdict(observation)}))


if __name__ == "__main__":
    main()
