"""The pytest-benchmark suite over the main axes: `python -m pytest bench/suite`, or `tox run -e bench`.

pytest-benchmark brings its own timed loop, the one exception to `bench.stopwatch`. What it cannot know (costs, memory,
energy, the wall) stands in each benchmark's `extra_info`; the wall, where `pinchpoint ceilings` has kept what the
machine can do. Choose with `-k`: `-k "transformer and decode"`.
"""
