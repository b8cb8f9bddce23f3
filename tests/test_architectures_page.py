from dataclasses import replace

import pytest

from bench.record import Metric
from reports import labels, plots
from reports.study import study
from tests import factories
from tests.factories import architectures, record, with_quality
from tests.pages import build, cell, column, figures, load, tables, words


def test_architectures_are_compared_only_where_two_did_the_same_work():
    assert load("architectures").build(study(factories.sweep())) is None
    assert load("architectures").build(study([record(), record(architecture="rnn", batch_size=8)])) is None


def test_the_first_sentence_names_the_winner_of_each_workload_and_the_best_parent():
    assert build("architectures", architectures()).lead == (
        "Fastest at equal parameters: transformer in training (2 of 2), prefill (2 of 2) and decode (2 of 2). "
        "Least perplexity after training (once, so without an interval): transformer with 83.2 "
        "(tiny; next is lstm with 94.4)."
    )


def test_where_intervals_overlap_nobody_has_won():
    lstm = record(workload="decode", architecture="lstm")
    twins = [lstm, replace(record(workload="decode", architecture="rnn"), metrics=lstm.metrics)]
    assert build("architectures", twins).lead == "Fastest at equal parameters: nobody by a clear margin in decode."


def test_a_row_holds_the_throughput_of_every_architecture_with_the_winner_marked():
    table = tables(build("architectures", architectures()))[0]
    assert [c.name for c in table.columns] == ["work", "batch size", "lstm", "rnn", "transformer"]
    assert column(table, "work") == [f"{w}, ktok/s" for w in ("Training", "Prefill", "Decode") for _ in (1, 8)]
    assert [[c.text for c in row if c.emphasis == "best"] for row in table.rows] == [
        [row[-1].text] for row in table.rows
    ]


def test_an_axis_that_only_other_points_vary_has_no_column():
    records = [*architectures(), record(architecture="lstm", size="nano", hidden=64, precision="bf16")]
    table = tables(build("architectures", records))[0]
    assert [c.name for c in table.columns][:3] == ["work", "batch size", "lstm"]


def test_an_architecture_without_a_result_leaves_a_gap():
    records = [r for r in architectures() if (r.axes["architecture"], r.axes["batch_size"]) != ("rnn", 8)]
    table = tables(build("architectures", records))[0]
    assert column(table, "rnn")[1::2] == ["—"] * 3


def test_the_trained_models_stand_with_perplexity_bits_and_training():
    table = next(t for t in tables(build("architectures", architectures())) if t.caption == "The trained models")
    assert [cell(table, 0, head) for head in ("perplexity", "bits per token", "training steps", "trained for")] == [
        "94.4",
        "6.56",
        "480",
        "60.2",
    ]
    assert [row[1].text for row in table.rows if row[2].emphasis == "best"] == ["transformer"]


def test_without_quality_there_is_speed_and_memory_alone():
    records = [record(architecture=a) for a in ("lstm", "rnn")]
    section = build("architectures", records)
    assert [t.caption for t in tables(section)][:2] == ["Throughput", "Peak memory, MiB"]
    assert len(figures(section)) == 1
    assert "perplexity" not in words(section)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0.0, -3.0])
def test_an_impossible_perplexity_is_not_shown(value):
    absurd = Metric(value, "", -1, "perplexity")
    records = [
        replace(r, metrics=r.metrics | {"perplexity": absurd, "parent_perplexity": absurd}) for r in architectures([1])
    ]
    assert "The trained models" not in [t.caption for t in tables(build("architectures", records))]


def test_a_panel_a_workload_and_size_and_a_row_an_architecture():
    records = architectures() + [with_quality(record(architecture=a, workload="decode")) for a in ("lstm", "rnn")]
    captions = [f.caption.partition(".")[0] for f in figures(build("architectures", records))]
    assert captions == [
        "Training, tiny",
        "Prefill, tiny",
        "Decode, nano",
        "Decode, tiny",
        "Perplexity of each trained model",
    ]


def test_what_is_left_out_of_a_panel_is_counted():
    section = build("architectures", architectures(batches=range(1, 11)))
    assert all(len(f.data.rows) <= plots.MOST_ROWS for f in figures(section))
    assert "15 races not drawn" in words(section)


def test_a_model_of_another_size_is_named_as_left_out():
    large = record(architecture="cnn")
    large = replace(large, facts=large.facts | {"parameters": 9_999_999})
    section = build("architectures", [record(architecture="lstm"), record(architecture="rnn"), large])
    assert "for want of an equal within 5 %: cnn." in words(section)


def test_words_are_listed_as_in_a_sentence():
    assert [labels.listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
