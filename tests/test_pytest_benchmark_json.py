"""From a store to pytest-benchmark's JSON and back: its own command reads it, and no sample is lost."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.importers import pytest_benchmark as importer
from bench.record import Block
from reports import render_pytest_benchmark as exporter
from tests import factories


def exported(records, **options):
    return json.loads(exporter.render(records, **options))


def imported(text, folder):
    path = folder / "benchmark.json"
    path.write_text(text)
    return importer.records(path)


def compare(folder, *arguments):
    command = [sys.executable, "-m", "pytest_benchmark", "compare", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_pytest_benchmark_compares_two_stores_by_the_names_of_their_points(tmp_path):
    for name, seed in (("before", 1), ("after", 2)):
        records = [factories.record(seed=seed, workload="decode"), factories.record(seed=seed, workload="prefill")]
        (tmp_path / f"{name}.json").write_text(exporter.render(records))
    shown = compare(tmp_path, "before.json", "after.json")
    assert "benchmark 'decode': 2 tests" in shown
    assert "decode (before)" in shown
    assert "decode (after)" in shown
    between = compare(tmp_path, "before.json", "after.json", "--between=median", "--name=long")
    assert "pinchpoint::prefill " in between


def test_a_histogram_has_all_the_fields_it_draws():
    (found,) = exported([factories.record()])["benchmarks"]
    drawn = ("min", "ld15iqr", "q1", "median", "q3", "hd15iqr", "max")
    values = [found["stats"][field] for field in drawn]
    assert values == sorted(values)
    assert found["stats"]["rounds"] == len(found["stats"]["data"]) == 90


def test_a_point_is_named_by_what_differs_from_the_defaults():
    (found,) = exported([factories.record(workload="decode", size="tiny", prune=0.5)])["benchmarks"]
    assert found["fullname"] == "pinchpoint::decode[prune=0.5-size=tiny]"
    assert found["params"] == {"prune": 0.5, "size": "tiny"}
    assert found["group"] == "decode"


def test_what_pytest_benchmark_cannot_know_stands_in_extra_info():
    (found,) = exported([factories.with_energy(factories.record())])["benchmarks"]
    info = found["extra_info"]
    assert info["costs"]["flops"] > 0
    assert info["read"]["joules_per_token"] > 0
    assert info["read"]["max_ram_B"] > 0
    assert info["wall"].startswith("It holds no ceilings")


def test_a_reading_that_could_not_be_had_is_its_reason():
    (found,) = exported([factories.record()])["benchmarks"]
    assert found["extra_info"]["read"]["joules_per_token"] == factories.NO_METER


def test_the_name_of_the_machine_is_left_out_unless_it_is_asked_for():
    record = factories.record()
    record = replace(record, host=record.host | {"host_name": "anna"})
    assert exported([record])["machine_info"]["node"] == ""
    assert exported([record], with_names=True)["machine_info"]["node"] == "anna"


def test_a_point_that_failed_is_left_out():
    found = exported([factories.record(), factories.record("oom", "full", batch_size=64)])
    assert len(found["benchmarks"]) == 1


def test_what_one_file_cannot_hold_is_refused():
    record = factories.record()
    with pytest.raises(UserError, match="No record holds samples"):
        exporter.render([factories.record("oom", "full")])
    with pytest.raises(UserError, match="measured more than once"):
        exporter.render([record, replace(record, run="another")])
    elsewhere = replace(factories.record(batch_size=2), host=record.host | {"fingerprint": "other"})
    with pytest.raises(UserError, match="several machines"):
        exporter.render([record, elsewhere])


def test_the_intervals_of_several_processes_survive_the_way_there_and_back(tmp_path):
    record = factories.record()
    (back,) = imported(exporter.render([record]), tmp_path)
    assert {block.process for block in back.blocks} == set(range(9))
    found = back.metrics["latency_s"]
    assert found.low < found.value < found.high
    assert back.host["fingerprint"] == record.host["fingerprint"]
    assert back.host["git_commit"] == record.host["git_commit"]
    assert back.axes["benchmark"] == "pinchpoint::train"


_SAMPLES = st.lists(st.integers(100, 10**11), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.integers(0, 3), _SAMPLES), min_size=1, max_size=5))
def test_no_sample_is_lost_or_changed_on_the_way_there_and_back(tmp_path_factory, blocks):
    timed = [Block("timed", process, place, 0.0, samples) for place, (process, samples) in enumerate(blocks)]
    record = replace(factories.record(), blocks=timed)
    (back,) = imported(exporter.render([record]), tmp_path_factory.getbasetemp())
    assert [(block.process, block.samples_ns) for block in back.blocks] == blocks
