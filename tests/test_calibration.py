"""The published measurements that come with pinchpoint: that each can be, and says where it is from."""

import csv
from collections import Counter
from importlib.resources import files
from typing import get_args

import pytest
from pydantic import ValidationError

from reports.projection import calibrated, calibration, formats, models, sources
from reports.projection.answers import Split

TEXT = (files("reports.projection") / calibration.SHIPPED).read_text(encoding="utf-8")
RAW = list(csv.DictReader(TEXT.splitlines()))
EVERY = calibration.parse(TEXT)
DEVICES, MODELS = calibration.by_name(), models.published()
UNITS = {"throughput": "tokens/s", "pace": "tokens/s", "power": "W", "matmul": "FLOP/s"}
PHASES = ("prefill", "decode", "serving")
#: All but the products of matrices, which have no model.
RUNS = [row for row in EVERY if row.measure != "matmul"]
#: Datasheets round, boost clocks differ, and 8-bit integer products stand behind some 16-bit ones.
FASTER_THAN_IDEAL = 0.9


def told(row):
    return f"{row.source}: {row.device} x {row.devices}, {row.model} {row.weights} {row.phase} {row.value}"


def observation(**changes):
    row = {
        "measure": "throughput", "source": "mlc", "device": "NVIDIA A100 SXM 80GB", "devices": "1", "split": "none",
        "power_limit_W": "", "engine": "vllm", "backend": "", "model": "Llama-2-7B", "weights": "fp16", "kv": "fp16",
        "phase": "decode", "batch": "4", "prompt": "0", "output": "50", "depth": "0", "value": "200",
        "unit": "tokens/s", "year": "2024.5", "doubt": "",
    } | changes  # fmt: skip
    (found,) = calibration.parse(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    return found


def test_every_row_names_what_is_known():
    assert {row.device for row in EVERY} <= set(DEVICES)
    for row in RUNS:
        assert row.model in MODELS, told(row)
        assert {row.weights, row.kv} <= set(formats.FORMATS), told(row)
        assert row.phase in PHASES, told(row)
        assert row.split in get_args(Split), told(row)
        assert (row.split == "none") == (row.devices == 1), told(row)


def test_every_row_is_in_the_unit_of_what_it_measures():
    assert all(row["unit"] == UNITS[row["measure"]] for row in RAW)


def test_every_count_and_value_is_positive_and_fits_its_phase():
    assert min(row.value for row in EVERY) > 0
    for row in RUNS:
        assert min(row.batch, row.devices) >= 1, told(row)
        assert (row.prompt > 0) == (row.phase != "decode"), told(row)
        assert (row.output > 0) == (row.phase != "prefill"), told(row)
        assert row.depth >= 0, told(row)
        assert row.power_limit_W is None or 5 < row.power_limit_W < 3000, told(row)


def test_nothing_beyond_doubt_is_faster_than_datasheets_allow():
    for each in calibrated.prepared(calibration.shipped()):
        if each.observation.measure == "throughput":
            assert each.observation.seconds / each.ideal.total_s > FASTER_THAN_IDEAL, told(each.observation)


def test_nothing_beyond_doubt_draws_more_than_its_limit():
    """Meters read a few per cent above it."""
    for each in calibrated.prepared(calibration.shipped()):
        if each.observation.measure == "power":
            assert each.observation.value < 1.05 * each.situation.device.power.limit_W, told(each.observation)


def test_nothing_beyond_doubt_needs_more_memory_than_there_is():
    """Weights, and the caches of all sequences at their end."""
    for row in RUNS:
        if row.doubt:
            continue
        memory = DEVICES[row.device].memory
        if memory is None or memory.size_B is None:
            continue
        weights = MODELS[row.model].parameters * formats.FORMATS[row.weights].bytes
        cache = row.batch * MODELS[row.model].kv_values * formats.FORMATS[row.kv].bytes
        assert weights + cache * (row.depth + row.prompt + row.output) <= memory.size_B * row.devices, told(row)


def test_no_measurement_stands_there_twice():
    """Powers may: a source measured one setting under several loads."""
    seen = Counter((row.key, row.source, row.device, row.backend, row.kv, row.power_limit_W) for row in EVERY)
    twice = [key for key, times in seen.items() if times > 1 and key[0][0] == "throughput"]
    assert not twice


def test_the_key_leaves_out_the_device_and_who_measured():
    here, there = observation(), observation(device="NVIDIA H100 SXM", source="nim", value="300")
    assert here.key == there.key
    assert here.key != observation(batch="8").key


def test_a_doubt_keeps_a_row_from_what_is_shipped_and_is_a_reason():
    doubted = [row for row in EVERY if row.doubt]
    assert doubted
    assert len(calibration.shipped()) == len(EVERY) - len(doubted)
    assert not any(row.doubt for row in calibration.shipped())


def test_almost_every_row_can_be_fitted():
    assert len(calibrated.prepared(calibration.shipped())) > 0.95 * len(calibration.shipped())


def test_the_seconds_of_a_job_follow_from_its_rate():
    assert observation().seconds == 4 * 50 / 200
    assert observation(phase="prefill", prompt="512", output="0", batch="2").seconds == 2 * 512 / 200


def test_a_row_becomes_the_job_that_was_measured():
    found = calibration.situation(observation(depth="100", devices="2", split="tensor"))
    assert (found.counts.batch, found.counts.steps, found.devices, found.split) == (4, 50, 2, "tensor")
    assert found.counts.step_cached_B == 4 * (100 + 25.5) * 2 * 32 * 4096 * 2
    assert found.source == "mlc"


def test_a_power_limit_of_a_row_replaces_that_of_the_datasheet():
    assert calibration.situation(observation()).device.power.limit_W == 400
    assert calibration.situation(observation(power_limit_W="330")).device.power.limit_W == 330


def test_every_row_has_a_source_and_every_source_has_rows():
    assert {row.source for row in EVERY} == set(sources.shipped())


def test_a_source_is_an_address_that_anybody_can_follow():
    for key, source in sources.shipped().items():
        repository = source.where.partition(" ")[0].partition("@")[0]
        assert source.where.startswith("https://") or repository.count("/") == 1, key
        assert source.what.endswith("."), key
        assert source.assumed.endswith(".") or not source.assumed, key


def test_no_two_sources_are_the_same():
    where = [source.where for source in sources.shipped().values()]
    assert len(set(where)) == len(where)


@pytest.mark.parametrize("wrong", ['date = "last year"', 'date = "2024"\nnote = "?"', 'date = "2024"\nwhat = " "'])
def test_a_source_with_a_wrong_date_or_another_key_or_nothing_said_is_refused(wrong):
    what = "" if "what" in wrong else 'what = "A test."'
    with pytest.raises(ValidationError):
        sources.parse(f'[key]\nwhere = "https://example.com"\n{what}\n{wrong}\n')
