from dataclasses import replace

import pytest

from bench.intervals import process_interval
from bench.record import Block, Metric, Warn
from reports import certainty
from tests import factories


def warned(*codes: str):
    return replace(factories.record(), warnings=[Warn(code, "Something.", "Do something.") for code in codes])


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_an_interval_takes_as_many_processes_as_the_statistics_say(confidence):
    fewest = certainty.fewest_processes(confidence)
    values = [[float(n)] for n in range(fewest)]
    assert process_interval(values, confidence)[1] is not None
    assert process_interval(values[1:], confidence)[1] is None


def test_an_interval_over_blocks_of_few_processes_is_dropped_and_the_value_kept():
    record = factories.record()
    two = replace(record, blocks=[replace(b, process=b.process % 2) for b in record.blocks])
    latency = certainty.supported(two).metrics["latency_s"]
    assert (latency.low, latency.high) == (None, None)
    assert latency.value == record.metrics["latency_s"].value
    assert certainty.supported(record) == record


def test_an_interval_that_is_not_over_processes_is_kept():
    graded = factories.with_quality(factories.record(rounds=2, quantize="int8-dynamic"))
    assert certainty.supported(graded).metrics["delta_ln_perplexity"].low is not None


def test_a_record_without_blocks_keeps_the_intervals_that_it_states():
    bare = replace(factories.record(), blocks=[])
    assert certainty.supported(bare) == bare


def test_energy_is_measured_in_the_processes_that_a_meter_watched():
    watched = Block("observed", 3, 0, 0.0, [1], readings={"avg_power_W": 9.0})
    record = replace(factories.record(), blocks=[*factories.record().blocks, watched])
    assert certainty.processes(record) == 9
    assert certainty.processes(record, "joules_per_token") == 1
    assert certainty.processes(record, "net_joules_per_token") == 0


def test_each_reason_for_a_missing_interval_is_told_once():
    few = [factories.record(rounds=n) for n in (1, 2, 2)]
    told = certainty.why_no_interval(few, ["latency_s", "throughput_tokens_per_s", "max_ram_B"])
    assert told == [
        "1 process: too few for a 95 % interval, which takes 6.",
        "2 processes: too few for a 95 % interval, which takes 6.",
        "A peak is the most of all readings, so it has no interval.",
    ]


def test_a_value_with_an_interval_and_a_missing_value_need_no_reason():
    assert certainty.why_no_interval([factories.record()], ["latency_s", "joules_per_token", "nonsense"]) == []


def test_enough_processes_of_unequal_numbers_of_blocks_are_called_that():
    assert certainty.too_few(7) == "7 processes of unequal numbers of blocks: too few for a 95 % interval"


def test_only_warnings_that_concern_the_times_mark_them():
    assert certainty.TIMES.sign(warned("noisy_host")) == "†"
    assert certainty.TIMES.sign(warned("masked_only", "few_edges")) == ""
    assert certainty.TIMES.sign(warned(), warned("imprecise")) == "†"


def test_the_legend_names_the_warnings_that_set_the_sign():
    records = [warned("noisy_host", "masked_only"), warned("imprecise")]
    assert certainty.TIMES.legend(records).endswith("(imprecise, noisy host).")
    assert certainty.TIMES.legend([warned("masked_only")]) == ""


def test_what_is_unsettled_at_rest_speaks_against_net_power_alone():
    record = warned("idle_unsettled")
    assert (certainty.POWER.sign(record), certainty.NET_POWER.sign(record)) == ("", "‡")


def test_a_metric_of_which_nothing_is_known_gives_no_reason():
    record = replace(factories.record(), metrics={"odd": Metric(1.0, "", 0, "odd")})
    assert certainty.reason_of(record, "odd") == ""
