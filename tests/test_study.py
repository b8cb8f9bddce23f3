from dataclasses import replace

from bench.record import Record
from reports.study import memory, metric, study, values
from tests import factories


def elsewhere(record: Record) -> Record:
    return replace(record, host=record.host | {"fingerprint": "cafe"}, run="other", started_at="2026-02-02T00:00:00")


def test_only_axes_that_vary_are_shown():
    studied = study(factories.sweep())
    assert studied.varying == ("size", "workload", "batch_size", "precision", "prune", "quantize")


def test_a_record_that_is_given_twice_counts_once():
    records = factories.sweep(workloads=["decode"])
    assert study([*records, *records]).records == study(records).records


def test_the_order_of_the_records_does_not_depend_on_the_order_in_which_they_are_given():
    records = factories.sweep()
    assert study(reversed(records)) == study(records)


def test_each_variant_is_paired_with_the_plain_point_that_did_the_same_work():
    studied = study(factories.sweep())
    assert len(studied.pairs) == 32
    for pair in studied.pairs:
        mine, plain = values(pair.variant), values(pair.reference)
        assert {name for name in mine if mine[name] != plain[name]} <= {"precision", "prune", "quantize"}
        assert (plain["precision"], plain["prune"], plain["quantize"]) == ("fp32", 0.0, "none")


def test_machines_are_never_compared_with_each_other():
    plain = factories.record()
    assert study([plain, elsewhere(factories.record(prune=0.5))]).pairs == ()


def test_a_reference_of_the_same_run_is_preferred():
    plain, variant = factories.record(), factories.record(prune=0.5)
    later = replace(plain, run="later", started_at="2027-01-01T00:00:00")
    (pair,) = study([later, plain, variant]).pairs
    assert pair.reference == plain
    assert pair.interleaved


def test_the_latest_reference_of_another_run_serves_where_the_own_run_has_none():
    plain = factories.record()
    later = replace(plain, run="later", started_at="2027-01-01T00:00:00")
    variant = replace(factories.record(prune=0.5), run="third")
    (pair,) = study([later, plain, variant]).pairs
    assert pair.reference == later
    assert not pair.interleaved


def test_a_failed_point_is_a_failure_and_no_member_of_a_family():
    studied = study([factories.record(), factories.record("oom", "too large", prune=0.5)])
    assert [record.status for record in studied.failures] == ["oom"]
    assert studied.pairs == ()


def test_equal_causes_of_failure_are_counted_together_the_most_frequent_first():
    many = [factories.record("oom", "too large", batch_size=2**n) for n in range(3)]
    studied = study([factories.record("crashed", "signal 11", prune=0.5), *many])
    assert [(cause, len(records)) for cause, records in studied.causes.items()] == [
        (("out of memory", "too large"), 3),
        (("crashed", "signal 11"), 1),
    ]


def test_a_label_names_the_machine_only_where_there_are_several():
    alone, both = study([factories.record()]), study([factories.record(), elsewhere(factories.record())])
    assert alone.label(alone.records[0]) == "fp32"
    assert [both.label(record) for record in both.records] == ["machine A", "machine B"]


def test_a_label_names_the_run_where_one_machine_has_several():
    later = replace(factories.record(), run="later", started_at="2027-01-01T00:00:00")
    studied = study([later, factories.record()])
    assert [studied.label(record) for record in studied.records] == ["run 1", "run 2"]


def test_an_axis_of_a_newer_version_is_ignored():
    record = replace(factories.record(), axes={"kv_cache_dtype": "int4", "batch_size": 8})
    assert values(record)["batch_size"] == 8
    assert study([record]).varying == ()


def test_memory_is_read_by_the_best_measure_that_there_is():
    record = factories.record()
    assert memory(record) == record.metrics["ram_above_start_B"]
    allocated = replace(record.metrics["max_ram_B"], label="allocated")
    assert memory(replace(record, metrics=record.metrics | {"max_allocated_B": allocated})) == allocated


def test_a_metric_without_a_value_is_none():
    record = factories.record()
    assert record.metrics["joules_per_token"].reason
    assert metric(record, "joules_per_token") is None
    assert metric(record, "no_such_metric") is None
