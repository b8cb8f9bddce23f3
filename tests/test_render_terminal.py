import io
from dataclasses import replace

import pytest
from rich.console import Console

from bench.record import Metric, Record
from reports import render_terminal
from tests import factories


def printed(records: list[Record], *, terminal: bool = False, width: int = 80) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    render_terminal.print_table(records, console)
    return stream.getvalue()


def test_a_whole_sweep_fits_80_columns_with_one_line_a_point():
    records = factories.sweep()
    text = printed(records)
    assert max(map(len, text.splitlines())) <= 80
    rows = [line for line in text.splitlines() if line.strip().startswith(("nano ", "tiny "))]
    assert len(rows) == len(records)


def test_a_pipe_gets_no_colour_codes_and_a_terminal_does():
    records = factories.sweep(workloads=["decode"])
    assert "\x1b" not in printed(records)
    assert "\x1b[" in printed(records, terminal=True)


def test_values_have_half_their_interval_and_a_unit():
    text = printed([factories.record()])
    assert "ktok/s" in text
    assert "±" in text
    assert "MiB" in text


def test_a_failure_is_named_in_its_row_and_its_reason_below():
    text = printed([factories.record(), factories.record("oom", "it needs 9 GiB", batch_size=8)])
    assert "out of memory" in text
    assert "1 × out of memory: it needs 9 GiB (batch size 8)" in text


def test_many_causes_are_cut_with_a_count():
    records = [factories.record("crashed", f"cause {n}", batch_size=2**n) for n in range(9)]
    assert "and 3 more causes" in printed(records)


@pytest.mark.parametrize("reason", ["[bold]x[/bold]", "[/nonsense]", "\x1b[31mred"])
def test_a_hostile_reason_neither_colours_nor_breaks_the_table(reason):
    text = printed([replace(factories.record("crashed"), reason=reason)])
    assert "\x1b" not in text
    assert reason.replace("\x1b", "") in text


def test_a_value_without_an_interval_stands_alone():
    record = factories.record(rounds=3)
    text = printed([record])
    assert "±" not in text.partition("Medians")[0]
    assert "ktok/s" in text


def test_quality_has_a_column_where_it_fits_and_gives_way_where_it_does_not():
    records = factories.compressed(workload="decode")
    assert "Δ ln ppl" in printed(records).splitlines()[2]
    assert "+0.0043" in printed(records)
    narrow = printed(records, width=50)
    assert "Δ ln ppl" not in narrow
    assert max(map(len, narrow.splitlines())) <= 50


def test_architectures_compressions_and_batches_with_quality_fit_80_columns():
    records = [
        r for a in ("lstm", "transformer") for b in (1, 64) for r in factories.compressed(architecture=a, batch_size=b)
    ]
    text = printed(records)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("MiB") == len(records)
    assert "Δ ln ppl: nats" in text


def test_plain_models_show_their_perplexity_and_classifiers_their_accuracy():
    plain = [factories.with_quality(factories.record(batch_size=b)) for b in (1, 8)]
    assert "perplexity" in printed(plain)
    assert " 118" in printed(plain)
    scored = [replace(r, metrics=r.metrics | {"accuracy": Metric(0.912, "", 1, "accuracy")}) for r in plain]
    assert "91.2" in printed(scored)


def test_time_has_its_interval_where_there_is_room_and_the_legend_says_where_there_is_none():
    records = factories.compressed(workload="decode")
    wide, narrow = printed(records, width=120), printed(records, width=60)
    assert all(line.count("±") == 3 for line in wide.splitlines() if "+0.0" in line)
    assert "no room" not in wide
    assert all(line.count("±") == 1 for line in narrow.splitlines() if "+0.0" in line)
    assert "There is no room for every ± here; the report has them all." in narrow


def test_a_doubtful_time_is_marked_and_the_mark_explained():
    text = printed([factories.record(), factories.noisy(factories.record(batch_size=8))])
    rows = [line for line in text.splitlines() if "MiB" in line]
    assert [line.count("†") for line in rows] == [0, 2]
    assert "† A warning speaks against the times" in text
    assert "(noisy host)" in text


def test_too_few_processes_for_an_interval_are_named_in_the_legend():
    assert "3 processes: too few for a 95 % interval, which takes 6." in printed([factories.record(rounds=3)])
