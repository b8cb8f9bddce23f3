"""`pinchpoint import`: files of pytest-benchmark as runs of a store, and what is refused with its place."""

import copy
import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import importers
from bench.errors import UserError
from bench.opening import open_store
from bench.record import from_json, to_json
from reports.study import study
from tests import factories

#: As pytest-benchmark 5.3.1 writes it, less what is not read.
FILE = {
    "machine_info": {
        "node": "anna",
        "processor": "x86_64",
        "machine": "x86_64",
        "python_implementation": "CPython",
        "python_version": "3.11.7",
        "release": "6.1",
        "system": "Linux",
        "cpu": {"brand_raw": "Imaginary CPU", "count": 4, "hz_actual": [2000000000, 0]},
    },
    "commit_info": {"id": "0123456789abcdef0123", "dirty": True, "branch": "main", "time": "2026-01-02T03:00:00Z"},
    "benchmarks": [
        {
            "group": None,
            "name": "test_sum",
            "fullname": "test_it.py::test_sum",
            "params": None,
            "param": None,
            "extra_info": {"rows": 3, "nested": {"a": 1}},
            "options": {},
            "stats": {
                "min": 0.001, "max": 0.004, "mean": 0.002, "stddev": 0.001, "median": 0.002, "rounds": 4,
                "iterations": 1, "data": [0.001, 0.002, 0.002, 0.004],
            },
        },
        {
            "fullname": "test_it.py::test_kept_without_data[8]",
            "stats": {"min": 0.5, "max": 0.5, "mean": 0.5, "stddev": 0, "median": 0.5, "rounds": 5, "iterations": 2},
        },
    ],
    "datetime": "2026-01-02T04:04:05.123456+01:00",
    "version": "5.3.1",
}  # fmt: skip


def changed(*path, value):
    """The file with another value at a place: `changed("benchmarks", 0, "stats", "mean", value=-1)`."""
    whole = copy.deepcopy(FILE)
    inner = whole
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return whole


@pytest.fixture
def file(tmp_path):
    def write(content=FILE, name="benchmark.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_a_file_becomes_a_run_whose_report_names_its_benchmarks(pinchpoint, file, tmp_path):
    code, out, _ = pinchpoint("import", file(), "--output-dir", tmp_path / "store")
    assert code == 0
    assert "2 benchmarks, run 20260102-030405-" in out
    code, out, _ = pinchpoint("report", tmp_path / "store", "-o", "md")
    assert code == 0
    assert r"test\_it.py::test\_sum | 2.00" in out
    assert "Imaginary CPU" in out
    assert "pytest-benchmark 5.3.1" in out
    assert "1 process: too few for a 95 % interval" in out
    assert "lstm" not in out  # nothing of a model that was never there


def test_beside_points_of_ours_a_benchmark_is_told_by_its_name_alone(file):
    found = study([*importers.read(file()), factories.record(), factories.record(precision="bf16")])
    told = {found.label(record) for record in found.records}
    assert {label.partition(", machine")[0] for label in told} == {
        "test_it.py::test_sum",
        "test_it.py::test_kept_without_data[8]",
        "lstm, nano, train, fp32",
        "lstm, nano, train, bf16",
    }


def test_the_only_benchmark_of_a_file_is_named_too(file):
    found = study(importers.read(file())[:1])
    assert found.label(found.records[0]) == "test_it.py::test_sum"


def test_a_record_tells_where_it_is_from(file):
    first, second = importers.read(file())
    assert first.facts["imported_from"] == "pytest-benchmark 5.3.1"
    assert first.facts["extra_rows"] == 3
    assert first.facts["commit_branch"] == "main"
    assert first.host["git_commit"] == "0123456789ab-dirty"
    assert first.started_at == "2026-01-02T03:04:05+00:00"
    assert [block.samples_ns for block in first.blocks] == [[1_000_000, 2_000_000, 2_000_000, 4_000_000]]
    assert second.blocks == []
    assert "--benchmark-save-data" in second.facts["no_samples"]
    assert second.metrics["latency_s"].value == 0.5
    assert first.point != second.point


def test_two_files_of_one_machine_may_be_compared_and_those_of_two_may_not(file):
    (same, *_), (again, *_) = importers.read(file()), importers.read(file(changed("datetime", value="2026-02-01"), "b"))
    (other, *_) = importers.read(file(changed("machine_info", "python_version", value="3.12.1"), "c"))
    assert same.run != again.run
    assert same.point == again.point == other.point
    assert same.host["fingerprint"] == again.host["fingerprint"] != other.host["fingerprint"]


def test_a_file_is_imported_once(pinchpoint, file, tmp_path):
    pinchpoint("import", file(), "--output-dir", tmp_path / "store")
    code, out, err = pinchpoint("import", file(name="copy.json"), "--output-dir", tmp_path / "store")
    assert (code, out) == (0, "")
    assert "copy.json is there already" in err
    with open_store(str(tmp_path / "store")) as store:
        assert len(store.runs()) == 1


def test_a_file_that_is_refused_leaves_the_store_as_it_was(pinchpoint, file, tmp_path):
    bad = file(changed("version", value="6.0"), "bad.json")
    code, _, err = pinchpoint("import", file(), bad, "--output-dir", tmp_path / "store")
    assert code == 2
    assert "was written by pytest-benchmark 6.0" in err
    assert not (tmp_path / "store").exists()


STATS = ("benchmarks", 0, "stats")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(*STATS, "median", value=math.nan), r"benchmarks\[0\]\.stats\.median is nan"),
        (changed(*STATS, "median", value=-0.1), r"benchmarks\[0\]\.stats\.median is -0.1"),
        (changed(*STATS, "mean", value="fast"), r"benchmarks\[0\]\.stats\.mean is no number"),
        (changed(*STATS, "max", value=10**400), r"benchmarks\[0\]\.stats\.max is 1000"),
        (changed(*STATS, "rounds", value=0), r"stats\.rounds is 0, and not a whole number"),
        (changed(*STATS, "data", value=[0.1, -1, 0.1, 0.1]), r"benchmarks\[0\]\.stats\.data\[1\] is -1"),
        (changed(*STATS, "data", value=[0.1]), r"data holds 1 times for 4 rounds"),
        (changed(*STATS, value=None), r"benchmarks\[0\]\.stats is no object"),
        (changed("benchmarks", value=[]), r"benchmarks is no list, or an empty one"),
        (changed("benchmarks", 1, value=7), r"benchmarks\[1\] is no object"),
        (changed("benchmarks", 1, "fullname", value=""), r"benchmarks\[1\]\.fullname is no text"),
        (changed("benchmarks", 1, "fullname", value="test_it.py::test_sum"), r"as that of an earlier benchmark"),
        (changed("datetime", value="yesterday"), r"datetime is 'yesterday'"),
        (changed("version", value=5), r"version is no text"),
        (json.dumps(FILE)[:400] + '"benchmarks"', r"is no JSON: .*line 1"),
        (changed("benchmarks", 1, "fullname", value="\ud800"), r"holds text that is no Unicode"),
        ({"results": []}, r"is of no format that can be imported"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(file, content, said):
    with pytest.raises(UserError, match=said):
        importers.read(file(content))


def test_a_time_of_zero_is_no_time(file):
    first, _ = importers.read(file(changed(*STATS, "median", value=0)))
    assert first.metrics["latency_s"].value is None
    assert "showed 0 s" in first.metrics["latency_s"].reason


def test_times_too_short_for_whole_nanoseconds_keep_no_samples(file):
    first, _ = importers.read(file(changed(*STATS, "data", value=[31.4e-9] * 4)))
    assert first.blocks == []
    assert "less than 100 ns" in first.facts["no_samples"]


def test_what_pytest_benchmark_writes_itself_is_read(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_sum(benchmark): benchmark(lambda: sum(range(1000)))\n")
    out = tmp_path / "found.json"
    command = [sys.executable, "-m", "pytest", "-q", "--benchmark-json", str(out), "--benchmark-max-time=0.01"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    (found,) = importers.read(out)
    written = json.loads(out.read_text())["benchmarks"][0]["stats"]
    assert found.metrics["latency_s"].value == written["median"]
    assert found.metrics["latency_s"].n == len(written["data"])


_TEXT = json.dumps(FILE)


def _refused_or_read(folder, content):
    path = folder / "damaged.json"
    path.write_bytes(content)
    for chosen in (None, "pytest-benchmark"):
        try:
            for record in importers.read(path, chosen):
                assert from_json(to_json(record)) == record
        except UserError as error:
            assert str(path) in error.message
            assert error.remedy.endswith(".")


@given(st.integers(0, len(_TEXT)), st.integers(0, 40), st.binary(max_size=20))
def test_a_damaged_file_is_read_or_refused_with_one_clear_error(tmp_path_factory, place, gone, put):
    content = _TEXT.encode()
    _refused_or_read(tmp_path_factory.getbasetemp(), content[:place] + put + content[place + gone :])


@given(st.integers(0, len(_TEXT)))
def test_a_file_cut_short_is_refused_with_one_clear_error(tmp_path_factory, length):
    _refused_or_read(tmp_path_factory.getbasetemp(), _TEXT.encode()[:length])


def _places(raw, path=()):
    yield path
    for key, value in raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ():
        yield from _places(value, (*path, key))


_ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from([place for place in _places(FILE) if place]), _ANY)
def test_any_value_in_any_place_is_read_or_refused_with_one_clear_error(tmp_path_factory, place, value):
    content = json.dumps(changed(*place, value=value)).encode()
    _refused_or_read(tmp_path_factory.getbasetemp(), content)
