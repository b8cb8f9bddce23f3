import pytest

from bench import summary
from bench.record import Block, MetricInfo, Warn

TOKENS, FLOPS = 80, 4_000_000
RAM = {"max_ram_B": MetricInfo("B", -1, "peak memory", "max")}
POWER = {"avg_power_W": MetricInfo("W", 0, "average power")}


def block(round_, milliseconds, kind="timed", **readings):
    samples = [round(ms * 1e6) for ms in milliseconds]
    return Block(kind, round_, round_, 0.0, samples, readings={"steal_share": 0.0, **readings})


def metrics(blocks, provided=RAM, reasons=None, steps=None):
    return summary.metrics(blocks, TOKENS, FLOPS, provided, reasons or {}, steps)


def test_latency_is_the_median_over_blocks_with_an_interval_over_processes():
    found = metrics([block(i, [ms, ms, 50 * ms]) for i, ms in enumerate([1, 2, 3, 4, 5, 6])])["latency_s"]
    assert (found.value, found.n) == (0.0035, 6)
    # The smallest and the largest of 6 enclose 96.9 %: 95 % lies just inside.
    assert 0.001 < found.low < 0.0013
    assert 0.0057 < found.high < 0.006


def test_blocks_of_few_processes_give_no_interval_however_many_they_are():
    blocks = [Block("timed", i % 2, i, 0.0, [10**6]) for i in range(20)]
    found = metrics(blocks)["latency_s"]
    assert (found.value, found.low, found.high, found.n) == (0.001, None, None, 20)


def test_net_energy_is_what_the_idle_device_would_not_have_drawn():
    observed = block(-1, [20, 20], "observed", avg_power_W=100.0, net_power_W=60.0)
    found = metrics([block(0, [5]), observed], POWER)
    assert found["net_energy_J"].value == pytest.approx(60 * 0.02)
    assert found["net_joules_per_token"].value == pytest.approx(60 * 0.02 / 80)


def test_throughput_is_total_work_over_total_time():
    # 2 iterations of 80 tokens in 1 + 3 ms: 40,000 tokens/s, where the mean of the rates would be 53,333
    assert metrics([block(0, [1, 3])])["throughput_tokens_per_s"].value == pytest.approx(40_000)


def test_throughput_needs_no_arithmetic_and_achieved_arithmetic_does():
    found = summary.metrics([block(0, [1])], TOKENS, None, RAM, {}, None)
    assert found["throughput_tokens_per_s"].value == pytest.approx(80_000)
    assert "flops_per_s" not in found


def test_percentiles_are_over_single_iterations():
    found = metrics([block(0, range(1, 102))])
    assert found["latency_p50_s"].value == pytest.approx(0.051)
    assert found["latency_p99_s"].value == pytest.approx(0.100)


def test_time_per_output_token_divides_an_iteration_by_its_steps():
    assert metrics([block(0, [16])], steps=16)["tpot_s"].value == pytest.approx(0.001)
    assert "tpot_s" not in metrics([block(0, [16])])


def test_observed_blocks_are_not_used_for_times():
    assert metrics([block(0, [2]), block(-1, [99], "observed")])["latency_s"].value == 0.002


def test_a_peak_is_the_largest_reading():
    found = metrics([block(0, [1], max_ram_B=300.0), block(1, [1], max_ram_B=500.0)])
    assert found["max_ram_B"].value == 500


def test_a_meter_that_failed_gives_its_own_reason():
    lost = Block("observed", 0, -1, 0.0, [10**6], warnings=[Warn("gpu_lost", "The GPU fell off the bus.", "Reset it.")])
    assert metrics([lost], POWER)["avg_power_W"].reason == "The GPU fell off the bus."
    assert [warning.code for warning in summary.warnings([lost, lost])] == ["gpu_lost"]


def test_what_could_not_be_read_is_null_with_the_reason_and_never_zero():
    found = metrics([block(0, [1])], POWER, {"avg_power_W": "no meter"})
    for name in ("avg_power_W", "energy_J", "joules_per_token"):
        assert found[name].value is None
        assert found[name].reason == "no meter"


def test_energy_and_time_come_from_the_same_block():
    # 100 W over iterations of 20 ms while observed, whatever the timed blocks took
    found = metrics([block(0, [5]), block(-1, [20, 20], "observed", avg_power_W=100.0)], POWER)
    assert found["energy_J"].value == pytest.approx(2.0)
    assert found["joules_per_token"].value == pytest.approx(2.0 / 80)


def test_stolen_time_is_warned_about_with_its_share_over_all_blocks():
    quiet = [block(i, [1]) for i in range(3)]
    stolen = block(9, [1], steal_share=0.2)
    (warning,) = summary.warnings([*quiet, stolen])
    assert warning.code == "noisy_host"
    assert "5%" in warning.message
    assert not summary.warnings(quiet)


def test_a_share_that_is_counted_in_ticks_is_the_mean_over_the_time_of_the_blocks():
    info = {"foreign_share": MetricInfo("", -1, "others", "mean")}
    # 3 ms at 0 and 1 ms at 0.5, one tick: the median would be 0
    found = metrics([block(0, [1, 2], foreign_share=0.0), block(1, [1], foreign_share=0.5)], info)["foreign_share"]
    assert (found.value, found.low, found.n) == (0.125, None, 2)


def test_a_block_that_names_the_neighbours_is_believed_before_the_mean():
    named = Block("timed", 0, 0, 0.0, [1], readings={"foreign_share": 0.5}, warnings=[Warn("foreign_load", "cc1", "r")])
    assert [warning.message for warning in summary.warnings([named])] == ["cc1"]
