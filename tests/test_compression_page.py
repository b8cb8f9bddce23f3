import re
from dataclasses import replace

import pytest

from bench.record import Metric, Record
from reports import page, plots, render_html
from reports.document import Bullets, Table
from tests import factories
from tests.factories import compressed, record, with_energy, with_quality
from tests.pages import build, cell, column, figures, tables, words

HOSTILE = '<script>alert(1)</script>"&$x$'


def visible(records: list[Record]) -> list[Table]:
    return [part for part in build("compression", records).parts if isinstance(part, Table)]


def pair(**axes) -> list[Record]:
    return [with_quality(record(workload="decode")), with_quality(record(workload="decode", **axes))]


# the rows


def test_a_family_is_a_table_with_the_plain_model_first_and_a_row_a_variant():
    (table,) = visible(compressed(workload="decode"))
    assert column(table, "precision")[0] == "fp32"
    assert len(table.rows) == len(factories.COMPRESSIONS)
    assert [c.name for c in table.columns] == [
        "precision, compression",
        "perplexity",
        "Δ ln perplexity, nat",
        "same top 1, %",
        "stored weights, MiB",
        "peak memory, MiB",
        "throughput, ktok/s",
        "speed",
    ]


def test_a_row_says_what_a_variant_costs_and_what_it_gives():
    (table,) = visible([with_energy(r) for r in pair(quantize="int8-dynamic")])
    assert cell(table, 1, "perplexity") == "119"
    assert cell(table, 1, "Δ") == "+0.0043 ±0.0006"
    assert cell(table, 1, "stored") == "1.36 (0.33×)"
    assert re.fullmatch(r"0\.\d\d× \[0\.\d\d, 0\.\d\d\]", cell(table, 1, "speed"))
    assert cell(table, 1, "energy per token")
    assert (cell(table, 0, "speed"), cell(table, 0, "Δ"), cell(table, 0, "stored")) == ("1×", "0", "4.09")


def test_a_column_that_would_be_empty_is_left_out():
    (table,) = visible([record(workload="decode"), record(workload="decode", precision="bf16")])
    heads = [c.name.partition(",")[0] for c in table.columns]
    assert heads == ["precision", "stored weights", "peak memory", "throughput", "speed"]


def test_what_is_certainly_faster_or_slower_is_marked_and_the_rest_is_not():
    (table,) = visible(compressed(workload="decode"))
    marks = {row[0].text: next(c for c in row if "×" in c.text and "[" in c.text).emphasis for row in table.rows[1:]}
    assert marks["bf16"] == "best"
    assert marks["int8-dynamic"] == "bad"
    assert marks["int8-weight"] == "plain"


def test_a_classifier_is_graded_by_accuracy():
    members = [record(), record(precision="bf16")]
    scores = {"accuracy": 0.912, "macro_f1": 0.874}
    graded = [replace(r, metrics=r.metrics | {n: Metric(v, "", 1, n) for n, v in scores.items()}) for r in members]
    (table,) = visible(graded)
    assert (cell(table, 1, "accuracy, %"), cell(table, 1, "F1, %")) == ("91.2", "87.4")


def test_families_have_tables_of_their_own_and_one_note():
    found = visible([*compressed(workload="decode"), *compressed(workload="prefill", batch_size=8)])
    assert [table.caption for table in found] == ["Prefill, batch size 8: variants", "Decode, batch size 1: variants"]
    assert [bool(table.note) for table in found] == [False, True]


# the pictures


def test_quality_is_drawn_against_throughput_and_says_who_is_beaten():
    section = build("compression", compressed(workload="decode"))
    (figure,) = figures(section)
    places = dict(zip(column(figure.data, "variant"), column(figure.data, "place"), strict=True))
    assert places["bf16"] == places["rank:8"] == "on the front"
    assert places["int8-dynamic"].startswith("beaten by fp32 (plain)")


def test_every_comparison_is_drawn_once():
    graded = compressed(workload="decode")
    without = [replace(r, metrics={n: m for n, m in r.metrics.items() if "top" in n or "_s" in n}) for r in graded[-2:]]
    drawn = [column(f.data, "variant") for f in figures(build("compression", [*graded[:-2], *without]))]
    assert sorted(name for names in drawn for name in names if "plain" not in name) == sorted(
        column(visible(graded)[0], "precision")[1:]
    )


def test_more_families_than_can_be_read_are_counted_in_words():
    records = [r for batch in range(1, 9) for r in compressed(workload="decode", batch_size=batch)]
    section = build("compression", records)
    assert len([f for f in figures(section) if "Scatter" in f.alt]) == 6
    assert "2 further families" in words(section)


def test_more_variants_than_can_be_labelled_keep_the_plain_one_and_the_front():
    shares = [0.05 * n for n in range(1, 12)]
    records = [*compressed(workload="decode"), *(with_quality(record(workload="decode", prune=s)) for s in shares)]
    section = build("compression", records)
    data = figures(section)[0].data
    assert len(data.rows) == 10
    assert {"fp32 (plain)", "rank:8", "bf16", "amp-bf16"} <= set(column(data, "variant"))
    assert "left out of the panels of quality" in words(section)


def test_an_overfull_forest_keeps_some_of_every_variant_whatever_the_outcome():
    batches = [2**n for n in range(10)]
    section = build("compression", factories.sweep(sizes=["nano"], batches=batches, workloads=["decode"]))
    shown = column(figures(section)[0].data, "variant")
    assert len(shown) <= plots.MOST_ROWS
    assert {shown.count(variant) for variant in shown} == {5}
    assert set(shown) == {"amp-bf16", "pruned share 0.5", "int8-dynamic"}
    assert "15 comparisons left out" in words(section)


# the words


def test_the_first_sentence_names_what_pays_without_a_loss():
    section = build("compression", compressed(workload="decode"))
    assert section.lead == (
        "Of the variants that keep the perplexity within 1 % of their parent's, "
        "bf16 is the fastest and int8-weight the smallest, with 0.28× the stored bytes."
    )


def test_a_fast_variant_that_may_cost_more_than_1_percent_is_not_recommended():
    lead = build("compression", pair(factorize="rank:8")).lead
    assert lead == "No variant that keeps the perplexity within 1 % of its parent's is faster or smaller."


def test_a_small_variant_that_is_no_faster_is_called_just_that():
    lead = build("compression", pair(quantize="int8-dynamic")).lead
    assert lead.endswith("int8-dynamic is the smallest, with 0.33× the stored bytes and none is faster.")


def test_variants_without_a_gain_are_told_together_with_their_cause():
    (bullets,) = [p for p in build("compression", compressed(workload="decode")).parts if isinstance(p, Bullets)]
    told = dict(bullets.items)
    assert "unpacked" in told["No gain in speed from int8-weight; int4-weight"]
    assert told["No gain in speed from pruned share 0.5"].startswith("Faster in none of 1 comparison (0.9")
    assert "dense kernels" in told["No gain in speed from pruned share 0.5"]
    assert not any("bf16" in head for head in told)


def test_a_variant_that_gains_in_one_workload_alone_is_not_called_gainless():
    slow = [record(workload="decode", batch_size=b) for b in (1, 2, 4)]
    prunes = [record(workload="decode", batch_size=b, prune=0.5) for b in (1, 2, 4)]
    plain, pruned = record(workload="prefill"), record(workload="prefill", prune=0.5)
    blocks = [replace(block, samples_ns=[s // 2 for s in block.samples_ns]) for block in pruned.blocks]
    assert "No gain" in words(build("compression", [*slow, *prunes]))
    assert "No gain" not in words(build("compression", [*slow, *prunes, plain, replace(pruned, blocks=blocks)]))


def test_what_nothing_explains_is_said_to_be_unexplained():
    text = words(build("compression", [record(), record(prune=0.5)]))
    assert "nothing in the records says why" in text


def test_without_quality_the_reason_and_the_remedy_are_given():
    text = words(build("compression", [factories.ungraded(record()), factories.ungraded(record(prune=0.5))]))
    assert "No quality was measured. No parent was trained" in text
    assert "--train-budget 60s" in text


def test_quality_that_is_missing_in_part_needs_no_training():
    broken = factories.ungraded(record(workload="decode", prune=0.5), "the likelihood is not finite.")
    text = words(build("compression", [*pair(precision="bf16"), broken]))
    assert "not known in 1 of 2 comparisons: the likelihood is not finite." in text
    assert "--train-budget" not in text


def test_a_ratio_across_runs_is_called_unpaired():
    records = [record(), replace(record(prune=0.5), run="another")]
    section = build("compression", records)
    assert cell(tables(section)[-1], 0, "basis") == "unpaired"
    assert "1 ratio unpaired" in words(section)


def test_chance_is_mentioned_where_there_are_many_intervals():
    assert "by chance alone" in words(build("compression", factories.sweep()))
    assert "by chance alone" not in words(build("compression", [record(), record(prune=0.5)]))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300, -5.0, 0.0])
def test_figures_from_strangers_do_not_break_the_page(value):
    records = [
        replace(r, metrics=r.metrics | {name: Metric(value, "nat", -1, name, value, value, 9)})
        for r in compressed(workload="decode", size="tiny")
        for name in ["delta_ln_perplexity"]
    ]
    assert tables(build("compression", records))


def test_text_from_strangers_is_shown_and_never_run():
    records = [
        replace(r, axes=r.axes | {"size": HOSTILE, "quantize": r.axes["quantize"] if n % 2 else HOSTILE})
        for n, r in enumerate(compressed(workload="decode") + factories.architectures())
    ]
    html = render_html.render(page.build(records, "t"))
    assert html.count("<script") == 1
    assert "alert(1)" in html


def test_a_variant_that_was_graded_on_fewer_tokens_has_no_perplexity_to_compare():
    plain, variant = pair(precision="bf16")
    fewer = replace(variant.metrics["perplexity"], n=50)
    (table,) = visible([plain, replace(variant, metrics=variant.metrics | {"perplexity": fewer})])
    shown, hidden = column(table, "perplexity")
    assert float(shown) > 1
    assert hidden == "—"
    assert column(table, "Δ ln perplexity, nat")[1] != "—"


def test_the_data_of_a_picture_holds_the_intervals_of_speed_and_why_there_is_none():
    (figure,) = figures(build("compression", compressed(workload="decode")))
    speeds = dict(zip(column(figure.data, "variant"), column(figure.data, "speed"), strict=True))
    assert speeds.pop("fp32 (plain)") == "1×"
    assert all(re.fullmatch(r"[\d.]+× \[[\d.]+, [\d.]+\]", shown) for shown in speeds.values())
    few = [with_quality(record(workload="decode", rounds=2, **axes)) for axes in factories.COMPRESSIONS]
    (figure,) = figures(build("compression", few))
    assert "Speed without an interval: 2 processes: too few for a 95 % interval." in figure.data.note


def test_a_variant_with_doubtful_times_is_marked_in_every_place():
    plain, variant = pair(precision="bf16")
    section = build("compression", [plain, factories.noisy(variant)])
    (table,) = [part for part in section.parts if isinstance(part, Table)]
    assert cell(table, 1, "throughput").endswith("†")
    assert cell(table, 1, "speed").endswith("†")
    assert "†" not in cell(table, 1, "stored")
    assert "†" in figures(section)[0].svg
    assert "(noisy host)" in words(section)
    assert "(noisy host)" in table.note
