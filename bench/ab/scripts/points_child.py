"""Counts of points as a side's own pinchpoint has them: a script that is run by path with the interpreter of that side.

It reads a list of axes as JSON on stdin, and prints for each its counts, or the reason why there are none.
"""

import dataclasses
import json
import sys
from typing import Any

from bench import points


def main() -> None:
    """Answer on stdout with one line."""
    found: list[dict[str, Any] | str] = []
    for axes in json.load(sys.stdin):
        try:
            known = dataclasses.asdict(points.costs(axes))
            found.append({name: count for name, count in known.items() if name not in points.uncounted(axes)})
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
            found.append(str(error))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
