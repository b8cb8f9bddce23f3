import re
from dataclasses import replace

import pytest

from bench.errors import UserError
from bench.record import Block, Metric, Warn
from model import plugins
from reports import labels, page, plots
from reports.document import Document, Figure, Notice, Part, Table
from reports.study import study
from tests import comparisons, factories, observations
from tests.pages import build, cell, figures, load, tables, words

NAMES = plugins.names("reports.sections")


#: Sections that one sweep alone does not fill.
OF_SEVERAL_RUNS = {"history"}
#: What a projection alone gives.
OF_AN_ANSWER = {"procurement", "procurement_details"}


@pytest.fixture(scope="module")
def document() -> Document:
    records = factories.troubled(factories.sweep()) + factories.architectures()
    return page.build(records, "A sweep", [comparisons.comparison()])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "records",
    [
        factories.troubled(factories.sweep()),
        [factories.record()],
        [factories.record("crashed", "signal 11")],
        [factories.with_energy(factories.record(batch_size=b)) for b in (1, 2)],
        factories.compressed(workload="decode") + factories.architectures(),
        [replace(r, blocks=[], costs={}, facts={}, host={}) for r in factories.sweep(workloads=["decode"])],
    ],
    ids=["sweep", "one", "failed", "energy", "graded", "bare"],
)
def test_every_section_holds_or_declines(name, records):
    section = load(name).build(study(records))
    assert section is None or (section.title and section.lead.endswith("."))
    for table in tables(section) if section else []:
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_no_two_sections_claim_the_same_place():
    orders = [load(name).ORDER for name in NAMES]
    assert len(set(orders)) == len(orders)


def test_a_report_begins_with_what_was_found_and_ends_with_how(document):
    titles = [section.title for section in document.sections]
    assert titles[0] == "What was found"
    assert titles[-1] == "How it was measured"
    assert len(titles) == len(set(NAMES) - OF_SEVERAL_RUNS - OF_AN_ANSWER)


def test_a_report_of_nothing_is_refused_with_a_remedy():
    with pytest.raises(UserError, match="pinchpoint sweep"):
        page.build([], "Nothing")


def test_the_subtitle_says_how_much_where_and_when(document):
    assert document.subtitle == "60 configurations on Imaginary CPU @ 2.00GHz, 2026-01-02"


# findings


def test_the_fastest_of_each_size_is_named_with_its_interval():
    slow, fast = factories.record(batch_size=1), factories.record(batch_size=8)
    text = words(build("findings", [slow, fast]))
    assert "Training, fastest. batch size 8:" in text
    assert "] ktok/s" in text


def test_a_faster_variant_is_told_with_its_ratio():
    text = words(build("findings", [factories.record(), factories.record(precision="bf16")]))
    assert re.search(r"The largest gain from precision or compression: bf16 at 1\.[45]", text)
    assert re.search(r"Training: faster, 1\.[45]", text)


def test_where_nothing_is_faster_the_first_sentence_says_so():
    text = words(build("findings", [factories.record(), factories.record(prune=0.5)]))
    assert "No change of precision or compression made anything measurably faster." in text
    assert "Training: no measurable difference, " in text


def test_the_largest_gain_is_told_with_its_price_in_quality():
    graded = [factories.with_quality(factories.record(**axes)) for axes in ({}, {"factorize": "rank:8"})]
    assert re.search(
        r"rank:8 at 1\.\d+× .*, for a Δ ln perplexity of \+1\.37 ±0\.07\.", words(build("findings", graded))
    )


def test_too_few_rounds_decide_nothing():
    records = [factories.record(rounds=3), factories.record(rounds=3, precision="bf16")]
    text = words(build("findings", records))
    assert "not decided (3 processes: too few for a 95 % interval)" in text
    assert "faster, " not in text


def test_what_is_doubtful_is_marked_in_sentences_too():
    records = [factories.record(), factories.noisy(factories.record(precision="bf16"))]
    text = words(build("findings", records))
    assert re.search(r"bf16 at 1\.\d+× \[[^]]+\]† the speed", text)
    assert re.search(r"ktok/s†", text)
    assert "† A warning speaks against" in text


def test_failures_are_counted_in_the_first_sentence():
    assert words(build("findings", factories.troubled(factories.sweep()))).startswith("42 of 48 configurations gave")


# results and failures


def test_the_most_throughput_of_each_size_is_marked_and_only_that():
    (table,) = tables(build("results", factories.sweep(workloads=["decode"])))
    best = [(row[0].text, c.sort) for row in table.rows for c in row if c.emphasis == "best"]
    column = next(i for i, c in enumerate(table.columns) if c.name.startswith("throughput"))
    for size in ("nano", "tiny"):
        most = max(float(row[column].sort or 0) for row in table.rows if row[0].text == size)
        assert best.count((size, most)) == 1
    assert len(best) == 2


def test_a_failure_stands_in_its_row_as_what_it_is():
    records = [factories.record(), factories.record("oom", "too large", batch_size=8)]
    (table,) = tables(build("results", records))
    assert cell(table, 1, "throughput") == "out of memory"
    assert cell(table, 1, "time per iteration") == "—"


def test_a_value_stands_with_its_interval_and_the_unit_in_the_head():
    (table,) = tables(build("results", [factories.record()]))
    assert cell(table, 0, "throughput, ktok/s").count("[") == 1
    assert len(cell(table, 0, "throughput")) <= 20


def test_the_reason_of_a_failure_is_given():
    (table,) = tables(build("failures", [factories.record("crashed", "signal 11")]))
    assert [c.text for c in table.rows[0][:3]] == ["crashed", "signal 11", "1"]


def test_a_doubtful_time_carries_a_sign_that_the_note_explains():
    (table,) = tables(build("results", [factories.record(), factories.noisy(factories.record(batch_size=8))]))
    assert not cell(table, 0, "throughput").endswith("†")
    assert cell(table, 1, "throughput").endswith("]†")
    assert "†" not in cell(table, 1, "peak memory")
    assert "† A warning speaks against the times, and what follows from them (noisy host)." in table.note


def test_too_few_processes_for_an_interval_are_told_under_the_table():
    (table,) = tables(build("results", [factories.record(rounds=3)]))
    assert "[" not in cell(table, 0, "throughput")
    assert "3 processes: too few for a 95 % interval, which takes 6." in table.note


# figures


def test_throughput_is_drawn_only_where_the_batch_varies():
    assert load("throughput").build(study([factories.record(), factories.record(prune=0.5)])) is None


def test_a_panel_a_workload_and_size_where_one_would_be_overfull():
    figures = [p for p in build("throughput", factories.sweep()).parts if isinstance(p, Figure)]
    assert [f.data.caption.partition(":")[0] for f in figures] == [
        f"{workload}, {size}" for workload in ("Training", "Prefill", "Decode") for size in ("nano", "tiny")
    ]


def test_what_is_left_out_of_a_figure_is_counted():
    variants = [{"precision": p, "prune": s} for p in ("fp32", "bf16", "amp-bf16") for s in (0.0, 0.3, 0.6)]
    records = factories.sweep(sizes=["nano"], workloads=["decode"], variants=variants)
    section = build("throughput", records)
    assert len({row[0].text for row in tables(section)[0].rows}) == plots.MOST_SERIES
    assert "2 slower series left out" in words(section)


def test_a_doubtful_point_of_a_curve_is_marked_in_the_drawing_and_in_its_data():
    noisy = factories.noisy(factories.record(batch_size=8))
    (figure,) = [p for p in build("throughput", [factories.record(), noisy]).parts if isinstance(p, Figure)]
    assert figure.svg.count("†") == 1
    assert [row[2].text.endswith("†") for row in figure.data.rows] == [False, True]
    assert "† A warning" in figure.caption


def test_memory_shows_each_counted_part_beside_the_peak_and_what_they_leave_unexplained():
    (table,) = tables(build("memory", [factories.record()]))
    assert cell(table, 0, "by") == "counts"
    assert cell(table, 0, "weights") == "4.09 MiB"
    assert cell(table, 0, "optimizer state") == "8.18 MiB"
    assert cell(table, 0, "measured peak").endswith("MiB")
    assert re.fullmatch(r"\+[\d.]+ MiB \(\+\d+ %\)", cell(table, 0, "residual"))


def test_what_a_tracker_saw_stands_under_the_counts_with_its_own_residual():
    record = factories.tracked(factories.record())
    (table,) = tables(build("memory", [record]))
    assert [row[1].text for row in table.rows] == ["counts", "tracker"]
    assert cell(table, 0, "work space") == "—"
    assert cell(table, 1, "work space") == "2.00 MiB"
    assert cell(table, 1, "gradients") == "1.00 MiB (most 4.09 MiB)"
    peak, seen = record.metrics["ram_above_start_B"].value or 0, 28 * 2**20
    assert cell(table, 1, "in all") == "28.0 MiB"
    assert cell(table, 1, "residual").startswith(f"+{(peak - seen) / 2**20:.2f} MiB")


def test_more_explained_than_measured_is_a_negative_residual():
    record = factories.tracked(factories.record())
    peak = replace(record.metrics["ram_above_start_B"], value=21.0 * 2**20)
    (table,) = tables(build("memory", [replace(record, metrics=record.metrics | {"ram_above_start_B": peak})]))
    assert cell(table, 1, "residual") == "−7.00 MiB (−33 %)"


def test_counts_that_lack_a_part_leave_no_residual():
    record = factories.record(checkpointing="on")
    lacking = {name: count for name, count in record.costs.items() if name != "activations_B"}
    (table,) = tables(build("memory", [replace(record, costs=lacking)]))
    assert cell(table, 0, "residual") == "—"


def test_why_a_point_was_not_tracked_is_told_once_for_all_that_share_the_reason():
    told = {"untracked": "an iteration takes longer than 1 s"}
    slow = [factories.record(batch_size=n) for n in (1, 2)]
    section = build("memory", [*(replace(r, facts=r.facts | told) for r in slow), factories.record(batch_size=4)])
    text = words(section)
    assert (
        "Not tracked: an iteration takes longer than 1 s (2 configurations); no tracker ran (1 configuration)." in text
    )
    assert "residual is the measured peak less" in text


def test_the_drawing_marks_what_was_tracked_only_where_something_was():
    plain, seen = (build("memory", [r]) for r in (factories.record(), factories.tracked(factories.record())))
    assert ["tracked in all" in figures(section)[0].svg for section in (plain, seen)] == [False, True]
    assert ["stroke" in section.lead for section in (plain, seen)] == [False, True]


@pytest.mark.parametrize(
    ("limit_GiB", "shares"), [(None, "8.00 GiB (50 %): memory runs out at 2"), (5, "5.00 GiB (80 %)")]
)
def test_memory_says_how_far_it_is_to_where_memory_runs_out(limit_GiB, shares):
    record = observations.observed(factories.record())
    full = record.metrics | {"max_ram_B": replace(record.metrics["max_ram_B"], value=4 * 2.0**30)}
    limit_B = limit_GiB and limit_GiB * 2**30
    record = replace(record, metrics=full, observation=replace(record.observation, limit_B=limit_B))
    assert f"held 4.00 GiB of {shares}" in build("memory", [record]).lead


def test_a_point_that_ran_out_of_memory_keeps_its_prediction():
    records = [factories.record(), factories.record("oom", "too large", batch_size=64)]
    (table,) = tables(build("memory", records))
    assert cell(table, 1, "measured peak") == "out of memory"
    assert cell(table, 1, "in all").endswith("MiB")
    assert cell(table, 1, "residual") == "—"


# energy, cautions, method


def test_without_a_meter_the_reason_is_given_in_one_sentence():
    section = build("energy", factories.sweep())
    assert section.lead == f"No energy was measured. {factories.NO_METER}"
    assert section.parts == ()


def test_with_a_meter_the_thriftiest_is_marked():
    records = [factories.with_energy(factories.record(batch_size=b)) for b in (1, 8)]
    table, _ = tables(build("energy", records))
    assert cell(table, 0, "gross energy per token, mJ/token")
    marked = [row[0].text for row in table.rows if any(c.emphasis == "best" for c in row)]
    assert marked == ["8"]


def test_gross_and_net_energy_stand_beside_the_power_they_are_from():
    table, method = tables(build("energy", [factories.with_energy(factories.record())]))
    gross, net = (float(cell(table, 0, f"{kind} energy per token").split()[0]) for kind in ("gross", "net"))
    assert net == pytest.approx(0.6 * gross, rel=0.01)
    assert cell(table, 0, "mean power, W") == "100 [98, 101]"
    assert cell(table, 0, "power at rest, W") == "40.0 [39.5, 40.5]"
    assert cell(table, 0, "uncertainty, %") == "0.400"
    assert cell(method, 0, "power of") == "average power of the GPU's board"
    assert cell(method, 0, "method") == "energy counter"
    assert (cell(method, 0, "seen for"), cell(method, 0, "refreshes")) == ("5.2", "52")


@pytest.mark.parametrize(
    ("readings", "method"),
    [
        ({"power_from_counter": 1.0}, "energy counter"),
        ({"power_from_counter": 0.0}, "integrated power readings"),
        ({"power_from_counter": 0.5}, "energy counter in some blocks, integrated power readings in others"),
        ({"package_power_W": 20.0}, "energy counter"),
        ({}, "not recorded"),
    ],
)
def test_how_the_power_was_read_is_told_as_the_meter_says(readings, method):
    record = factories.with_energy(factories.record())
    kept = {name: metric for name, metric in record.metrics.items() if name != "power_from_counter"}
    given = {name: Metric(value, "", 0, name) for name, value in readings.items()}
    table = tables(build("energy", [replace(record, metrics=kept | given)]))[1]
    assert cell(table, 0, "method") == method


def test_a_doubt_about_the_power_at_rest_marks_net_energy_alone():
    record = factories.with_energy(factories.record())
    warned = replace(record, warnings=[Warn("idle_unsettled", "It still changed.", "Measure again.")])
    section = build("energy", [warned])
    table = tables(section)[0]
    assert cell(table, 0, "net energy per token").endswith("‡")
    assert "‡" not in cell(table, 0, "gross energy per token")
    assert "‡ A warning speaks against" in table.note
    assert "Idle unsettled, 1 configuration. It still changed. Measure again." in words(section)


def test_power_that_was_read_in_one_process_has_no_interval_and_says_so():
    record = factories.with_energy(factories.record())
    block = Block("observed", 0, 0, 0.0, [10**6], readings={"avg_power_W": 100.0})
    table = tables(build("energy", [replace(record, blocks=[*record.blocks, block])]))[0]
    assert "[" not in cell(table, 0, "mean power")
    assert "1 process: too few for a 95 % interval, which takes 6." in table.note


def test_a_figure_of_one_configuration_is_not_told_of_all():
    found = [
        replace(factories.record(batch_size=n), warnings=[Warn("imprecise", f"It is ±{n} %.", "Wait.")]) for n in (1, 4)
    ]
    assert build("cautions", found).parts[0].text == "For example: It is ±1 %."
    assert build("cautions", found[:1]).parts[0].text == "It is ±1 %."


def test_equal_warnings_are_one_notice_with_a_count_and_the_remedy():
    records = [factories.noisy(r) for r in factories.sweep(workloads=["decode"])]
    (notice,) = build("cautions", records).parts
    assert isinstance(notice, Notice)
    assert notice.title == "Noisy host: 16 configurations"
    assert notice.remedy == "Close other programs and run it again."
    assert notice.about.endswith("and 12 more")


def test_the_method_counts_what_was_done():
    section = build("method", [factories.record(), factories.record(prune=0.5)])
    assert section.lead.startswith("180 timed iterations in 18 short blocks")
    assert "9 fresh processes and 9 rounds" in words(section)


def test_the_glossary_explains_only_the_workloads_of_the_report():
    terms = [row[0].text for row in tables(build("method", [factories.record(workload="decode")]))[0].rows]
    assert "Decode" in terms
    assert "Prefill" not in terms


# the whole


def strings(document: Document) -> list[str]:
    found: list[str] = []

    def visit(part: Part) -> None:
        match part:
            case Table():
                found.extend(c.text for row in part.rows for c in row)
            case Figure():
                visit(part.data)

    for section in document.sections:
        found.append(words(section))
        for part in section.parts:
            visit(part)
    return found


def test_no_number_has_more_digits_than_a_reader_wants(document):
    for text in strings(document):
        for word in text.replace(",", "").split():
            assert word == factories.HOST["git_commit"] or sum(character.isdigit() for character in word) <= 6, word


def test_raw_axis_names_do_not_reach_the_reader(document):
    shown = " ".join(strings(document))
    assert not [name for name in ("batch_size", "max_ram_B", "latency_s", "noisy_host") if name in shown]
    assert labels.WORKLOADS["train"] in shown
