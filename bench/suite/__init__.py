"""The pytest-benchmark suite."""
