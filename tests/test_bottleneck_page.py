"""What the report says of bottlenecks: the wall of each point, its proof, and what is missing where none is known."""

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from bench.record import Advice, Experiment, Metric
from reports import advice, page, render_csv, render_html, render_markdown, render_terminal, verdict
from reports.document import Bullets
from reports.sections import bottleneck
from tests import factories, observations
from tests.pages import build, cell, column, figures, tables, words


def observed(mixture=None, **axes):
    return observations.observed(factories.record(**axes), mixture)


def decoded(batch_size=1):
    return observations.diagnosed(observed(workload="decode", batch_size=batch_size))


def sweep(batches):
    return [observed(workload=w, batch_size=b) for w in ("train", "prefill", "decode") for b in batches]


# the first sentence


def test_the_first_sentence_names_the_point_the_wall_and_what_interventions_did():
    lead = words(build("bottleneck", [decoded()])).partition(";")[0]
    assert lead.startswith("Decode waits for memory: it reaches ")
    assert lead.endswith("% of this machine's read bandwidth")
    said = words(build("bottleneck", [decoded()]))
    assert "; doubling the threads gained 4 %, loading the memory bus cost 43 %." in said


def test_without_interventions_the_first_sentence_ends_with_the_wall():
    lead = build("bottleneck", [observed(workload="decode")]).lead
    assert lead.count(";") == 0
    assert lead.endswith("read bandwidth.")


def test_an_effect_that_may_be_nothing_is_not_told_as_a_gain():
    shaken = replace(decoded(), experiments=[Experiment("more_threads", [-0.3, 0.3] * 9, {})])
    assert "doubling the threads changed nothing measurable" in build("bottleneck", [shaken]).lead


def test_controls_and_experiments_that_change_nothing_are_no_evidence():
    record = observations.diagnosed(observed(workload="decode"), {"nothing": 0.2, "cache_antagonist": 0.3})
    assert ";" not in build("bottleneck", [record]).lead


def test_the_most_telling_point_has_a_name_for_its_wall_and_the_largest_share():
    records = [observed({}, batch_size=1), observed({"compute": 0.6}, batch_size=8), observed({"compute": 0.9})]
    lead = build(
        "bottleneck", [records[0], records[1], replace(records[2], axes={**records[2].axes, "batch_size": 64})]
    )
    assert "at batch size 64 waits for arithmetic" in lead.lead


# what is missing


def test_without_ceilings_the_section_says_so_with_the_remedy():
    section = build("bottleneck", [factories.record()])
    assert section.lead.endswith("hold no ceilings, the most that this machine can do: run `pinchpoint ceilings`, "
                                 "then sweep again.")  # fmt: skip
    assert section.parts == ()


def test_with_ceilings_alone_the_roofline_stands_and_the_observation_is_asked_for():
    section = build("bottleneck", [replace(observed(), observation=None)])
    assert "do not tell what an iteration consists of: sweep again" in section.lead
    assert len(figures(section)) == 1


def test_some_points_without_a_verdict_are_counted():
    said = words(build("bottleneck", [observed(), factories.record(batch_size=8)]))
    assert "1 of 2 configurations have no verdict" in said
    assert "pinchpoint ceilings" in said


def test_ceilings_that_were_measured_on_a_busy_machine_are_the_reason_that_is_told():
    record = observed(batch_size=64)
    slow = {name: replace(each, value=each.value / 1e6, low=None, high=None) for name, each in record.ceilings.items()}
    doubtful = replace(record, ceilings=slow)
    assert "busy when its ceilings were measured" in build("bottleneck", [doubtful]).lead
    said = words(build("bottleneck", [observed(), doubtful]))
    assert "1 of 2 configurations have no verdict. The point reaches" in said
    assert "pinchpoint ceilings --refresh" in said


def test_what_helps_against_a_wall_is_something_that_the_work_can_have():
    train, decode = (verdict.remedies("memory capacity", observed({}, workload=work)) for work in ("train", "decode"))
    assert any("accumulation" in words for words in train)
    assert not any("quantization" in words or "KV cache" in words for words in train)
    assert any("quantization" in words for words in decode)
    assert not any("accumulation" in words or "checkpointing" in words for words in decode)


def test_more_threads_are_no_remedy_where_each_core_has_one():
    record = observed()
    few = replace(record, observation=replace(record.observation, threads=1, cores=4))
    full = replace(record, observation=replace(record.observation, threads=4, cores=4))
    assert any("as many as there are cores" in words for words in verdict.remedies("parallelism", few))
    assert not any("as many as there are cores" in words for words in verdict.remedies("parallelism", full))


def test_failures_are_left_out():
    failed = observations.observed(factories.record(batch_size=8))
    failed = replace(failed, status="oom", reason="too large", metrics={}, blocks=[])
    (table, *_) = tables(build("bottleneck", [observed(), failed]))
    assert len(table.rows) == 1


@pytest.mark.parametrize("seconds", [math.nan, math.inf, 0.0, -1.0])
def test_an_iteration_without_a_time_has_no_verdict(seconds):
    record = observed()
    broken = replace(record, observation=replace(record.observation, iteration_s=seconds))
    assert verdict.of(broken) is None
    assert build("bottleneck", [broken]).lead


def test_a_latency_that_is_no_number_leaves_the_roofline_empty():
    record = replace(observed(), metrics={"latency_s": Metric(math.nan, "s", -1, "time")})
    assert "roofline" not in " ".join(figure.alt.lower() for figure in figures(build("bottleneck", [record])))


# tables and figures


def test_each_point_has_its_wall_its_share_its_proof_and_a_remedy():
    (table, *_) = tables(build("bottleneck", [decoded(1), observed(workload="prefill", batch_size=8)]))
    found = dict(zip(column(table, "workload"), column(table, "wall"), strict=True))
    assert found == {"prefill": "compute", "decode": "memory bandwidth"}
    row = column(table, "workload").index("decode")
    assert cell(table, row, "of the time") == "61 %"
    assert cell(table, row, "proof")
    assert cell(table, row, "what would help")


def test_a_point_that_nobody_intervened_on_is_untested():
    (table, *_) = tables(build("bottleneck", [decoded(1), observed(workload="prefill", batch_size=8)]))
    row = column(table, "workload").index("prefill")
    assert cell(table, row, "proof") == "untested. No intervention was tried on it."


def test_where_no_point_was_tried_a_note_says_so_in_place_of_a_column():
    (table, *_) = tables(build("bottleneck", [observed()]))
    assert "proof" not in [each.name for each in table.columns]
    assert "None of these walls was tried by experiment" in table.note


def test_experiments_that_move_the_wall_confirm_it_and_their_elasticities_are_drawn():
    section = build("bottleneck", [decoded()])
    assert cell(tables(section)[0], 0, "proof").startswith("confirmed. Loading the memory bus cost 43 %")
    (drawn,) = [figure for figure in figures(section) if figure.alt.startswith("Elasticities")]
    assert "memory bandwidth" in column(drawn.data, "resource")


def test_experiments_that_leave_the_wall_unmoved_contradict_it_and_the_first_sentence_says_so():
    told = {"fewer_threads": 0.65, "more_threads": -0.55, "bandwidth_antagonist": 0.0, "extra_dispatches": 0.0}
    section = build("bottleneck", [observations.diagnosed(observed(workload="decode"), told)])
    assert cell(tables(section)[0], 0, "proof").startswith("contradicted. ")
    assert section.lead.endswith(", which speaks against it.")


def test_pairs_that_hold_no_number_are_left_out():
    broken = replace(decoded(), experiments=[Experiment("more_threads", [math.nan] * 9 + [-0.04] * 9, {})])
    assert "doubling the threads gained 4 %" in build("bottleneck", [broken]).lead


def test_experiments_that_were_impossible_leave_it_untested_with_their_reason():
    impossible = replace(decoded(), experiments=[Experiment("more_threads", [], {}, reason="One core only.")])
    proof = cell(tables(build("bottleneck", [impossible]))[0], 0, "proof")
    assert proof.startswith("untested. ")
    assert "One core only" in proof


def test_what_the_point_already_has_is_no_remedy():
    plain, half = observed(workload="prefill"), observed(workload="prefill", precision="bf16")
    assert any("bf16" in remedy for remedy in verdict.of(plain).remedies)
    assert not any("bf16" in remedy for remedy in verdict.of(half).remedies)


def test_the_operators_that_matter_are_at_most_ten_the_longest_first():
    found = [t for t in tables(build("bottleneck", [decoded()])) if "operators" in t.caption]
    assert len(found) == 1
    seconds = [row[3].sort for row in found[0].rows]
    assert seconds == sorted(seconds, reverse=True)
    assert 0 < len(seconds) <= 10


def test_every_figure_says_how_to_read_it_and_has_its_numbers_as_a_table():
    found = figures(build("bottleneck", sweep((1, 8))))
    assert len(found) == 4  # a roofline, and bars for three workloads
    for figure in found:
        assert "How to read it: " in figure.caption
        assert figure.alt.endswith(".")
        assert figure.data.rows


def test_sixty_points_keep_their_rows_and_the_bars_count_what_is_left_out():
    records = sweep(range(1, 21))
    section = build("bottleneck", records)
    assert len(tables(section)[0].rows) == 60
    assert "12 faster configurations left out of the bars" in words(section)


def test_only_walls_of_the_report_are_explained():
    section = build("bottleneck", [observed(workload="decode")])
    explained = next(part for part in section.parts if isinstance(part, Bullets)).items
    heads = [head for head, _ in explained]
    assert heads[0] == "Memory bandwidth"
    assert "Transfer" not in heads
    assert all("To try: " in text for _, text in explained)


# the other places


def test_the_bottleneck_stands_right_after_the_findings():
    document = page.build([decoded(), decoded(8)], "A sweep")
    assert [section.title for section in document.sections][:2] == ["What was found", bottleneck.TITLE]


def test_the_findings_count_the_walls():
    records = [observed({"compute": 0.9}, batch_size=b) for b in (1, 8)] + [decoded(64)]
    items = next(part for part in build("findings", records).parts if isinstance(part, Bullets)).items
    assert ("What they wait for", "2 of 3 configurations wait for arithmetic; 1 for memory.") in items


def test_without_ceilings_the_findings_say_nothing_of_walls():
    assert "wait" not in words(build("findings", [factories.record()]))


def test_the_csv_has_the_wall_its_share_and_the_proof():
    frame = render_csv.frame([observed(workload="decode"), factories.record()])
    assert frame["wall"][0] == "memory bandwidth"
    assert frame["wall_share"][0] == pytest.approx(0.61, abs=0.01)
    assert frame["proof"][0] == "untested"
    assert frame["wall_share"].isna()[1]


def printed(records, width):
    stream = io.StringIO()
    render_terminal.print_table(records, Console(file=stream, width=width))
    return stream.getvalue()


def test_the_terminal_has_a_word_for_the_wall_where_it_fits():
    records = [observed(workload="decode", batch_size=b) for b in (1, 8)]
    wide = printed(records, 80)
    assert "waits for" in wide
    assert max(map(len, wide.splitlines())) <= 80
    assert "waits for" not in printed(records, 40)


def test_hostile_names_are_escaped_on_every_page():
    record = decoded()
    evil = "<script>alert(1)</script>|"
    operators = tuple(replace(each, name=evil, module=evil) for each in record.observation.operators)
    hostile = replace(
        record,
        observation=replace(record.observation, operators=operators),
        experiments=[Experiment(evil, [0.2] * 9, {}), *record.experiments],
    )
    document = page.build([hostile], "A sweep")
    assert "<script>alert" not in render_html.render(document)
    assert "<script>" not in render_markdown.render(document).replace("\\<", "")


def test_the_markdown_has_the_sentence_and_the_walls():
    text = render_markdown.render(page.build([decoded()], "A sweep"))
    assert "## What it waits for" in text
    assert "Decode waits for memory" in text
    assert "memory bandwidth" in text


# advice


def gains(log, proof=None, **axes):
    """Advice with made-up figures: ln of the time after over before, and of that which was proven."""
    tried = None if proof is None else Experiment("tried", [proof] * 9, {}, processes=list(range(9)))
    return Advice(axes, log, log - 0.1, log + 0.1, memory_B=-(2**20), quality_note="unknown", proof=tried)


def advised(*advice):
    return replace(observed(workload="decode"), advice=list(advice))


def test_advice_stands_with_its_proof_and_what_it_costs():
    record = advised(gains(-0.693, -0.5, quantize="int8-dynamic"), gains(-0.1, precision="bf16"))
    section = build("bottleneck", [record])
    (table,) = [each for each in tables(section) if "what would help" in each.caption]
    assert column(table, "change") == ["int8-dynamic *", "bf16 *"]
    assert cell(table, 0, "predicted gain") == "+100 % [+81, +121]"
    assert cell(table, 0, "proven gain") == "+65 % [+65, +65]"
    assert cell(table, 1, "proven gain") == "—"
    assert cell(table, 0, "memory") == "−1.00 MiB"
    assert cell(table, 0, "quality") == "unknown"
    assert "--train-budget" in table.note
    assert (
        "What should help most: int8-dynamic, with a predicted gain of +100 %; tried, it gained +65 %." in section.lead
    )


def test_without_a_trial_no_proof_is_shown():
    section = build("bottleneck", [advised(gains(-0.693, quantize="int8-dynamic"))])
    (table,) = [each for each in tables(section) if "what would help" in each.caption]
    assert "proven gain" not in [each.name for each in table.columns]
    assert section.lead.endswith("with a predicted gain of +100 %.")
    assert "int8-dynamic: +100 % predicted" in column(tables(section)[0], "what would help")


def test_a_change_that_costs_is_no_relief_and_what_is_impossible_no_row():
    record = advised(gains(0.2, precision="bf16"), Advice({"precision": "tf32"}, reason="There is no such arithmetic."))
    section = build("bottleneck", [record])
    (table,) = [each for each in tables(section) if "what would help" in each.caption]
    assert len(table.rows) == 1
    assert "should help" not in section.lead
    assert advice.refused(record.advice) == [("tf32", "There is no such arithmetic.")]


def test_advice_is_shown_where_no_wall_is_known():
    record = replace(factories.record(), advice=[gains(-0.2, precision="bf16")])
    assert any("what would help" in each.caption for each in tables(build("bottleneck", [record])))


def test_a_strangers_advice_breaks_nothing():
    record = advised(gains(math.nan, precision="bf16"), gains(-0.2, math.inf, made_up="<b>"))
    section = build("bottleneck", [record])
    assert "NaN" not in words(section)
    assert render_html.render(page.build([record], "title"))
