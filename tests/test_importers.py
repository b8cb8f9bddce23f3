"""What holds for the files of every tool: records that tell their origin, and one clear error for what is wrong."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import importers
from bench.errors import UserError
from bench.importers import _fields, _making
from bench.importers._facts import Told
from bench.opening import open_store
from bench.record import from_json, to_json
from bench.references import find
from reports.study import study
from tests.imported_files import FILES, FOLDER, tool


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_recognised_by_its_own_format_alone(name):
    raw = (FOLDER / name).read_bytes()
    knowing = [each for each in importers.names() if importers.load(each).recognises(raw)]
    assert knowing == [tool(name)]


@pytest.mark.parametrize("name", FILES)
def test_every_record_of_a_file_tells_its_origin_and_survives_a_store(name, tmp_path, pinchpoint):
    records = importers.read(FOLDER / name)
    for record in records:
        assert str(record.facts["imported_from"]).startswith(tool(name))
        assert record.axes["architecture"] == record.axes["size"] == "none"
        assert record.facts["model"]
        assert from_json(to_json(record)) == record
    pinchpoint("import", FOLDER / name, "--output-dir", tmp_path)
    with open_store(str(tmp_path)) as store:
        assert len(store.runs()) == 1
    code, out, _ = pinchpoint("report", tmp_path, "-o", "md")
    assert code == 0
    assert "lstm" not in out
    assert tool(name) in out


def test_files_of_all_tools_stand_in_one_report_with_only_the_axes_that_they_tell():
    found = study([record for name in FILES for record in importers.read(FOLDER / name)])
    labels = {found.label(record).partition(", machine")[0] for record in found.records}
    assert "tiny-llama, serve, batch size 2, sequence length 63, generated length 8" in labels
    assert "tiny-llama, latency of a batch" in labels
    assert not [label for label in labels if "fp32" in label]  # none of a model whose format is in its name


@pytest.mark.parametrize("name", FILES)
def test_compare_takes_a_file_of_another_tool_as_a_run(name):
    reference = find(str(FOLDER / name), "nowhere")
    assert {record.point for record in reference.records} == {r.point for r in importers.read(FOLDER / name)}


def test_two_files_of_llama_bench_are_compared_test_by_test(pinchpoint):
    code, out, err = pinchpoint("compare", FOLDER / "llama_bench.json", FOLDER / "llama_bench.csv")
    assert "all 3 benchmarks" in out + err
    assert code in (0, 1, 3)


def test_files_that_name_no_machine_are_not_taken_to_be_of_one(pinchpoint):
    code, out, err = pinchpoint("compare", FOLDER / "vllm_serve.json", FOLDER / "aiperf.json")
    assert code != 0
    assert "--anyway" in out + err


def test_an_undated_file_has_the_time_of_its_last_change_and_is_imported_once(tmp_path):
    raw = (FOLDER / "vllm_latency.json").read_bytes()
    for name, moment in (("a.json", 10**9), ("b.json", 10**9 + 60)):
        (tmp_path / name).write_bytes(raw)
        os.utime(tmp_path / name, (moment, moment))
    (first,), (second,) = importers.read(tmp_path / "a.json"), importers.read(tmp_path / "b.json")
    assert first.started_at == "2001-09-09T01:46:40+00:00"
    assert second.started_at == "2001-09-09T01:47:40+00:00"
    assert first.run == second.run
    assert "no time" in first.facts["started_at_is"]


def test_facts_that_are_not_known_are_left_out():
    assert Told(model="llama 7B", devices=2).facts() == {"model": "llama 7B", "devices": 2}


def test_a_mean_length_is_an_axis_only_where_all_texts_are_of_it():
    assert _making.served(4, 512.0, 127.5) == {"batch_size": 4, "sequence_length": 512}
    assert _making.served(None, 0.0, 2.0**40) == {}


def test_times_too_short_for_whole_nanoseconds_keep_no_samples():
    blocks, why = _making.block([31.4e-9, 1e-3])
    assert blocks == []
    assert "less than 100 ns" in why["no_samples"]


def test_a_time_of_zero_is_no_time():
    found = _making.times([], 0.0, 8, None, "one repetition")
    assert found["latency_s"].value is None
    assert "0 s" in found["latency_s"].reason


def test_a_file_that_is_far_too_large_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(_fields.MOST_B + 1)
    with pytest.raises(UserError, match=r"large.json has 64 MiB; at most 64 MiB are read"):
        importers.read(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    for chosen in (None, *importers.names()):
        with pytest.raises(UserError, match="missing.json cannot be read"):
            importers.read(tmp_path / "missing.json", chosen)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda raw: b"", "is empty"),
        (lambda raw: b" \n", "is empty"),
        (lambda raw: raw.decode().encode("utf-16"), "UTF-16, as PowerShell does"),
        (lambda raw: raw[:40] + b"\xff" + raw[40:], "line [12345] is no UTF-8"),
        (lambda raw: raw.rstrip()[:-30], "is no JSON|is no CSV|no whole INSERT|no row of a table|is cut off"),
    ],
)
def test_an_unreadable_file_is_refused_with_the_reason(tmp_path, name, damage, said):
    path = tmp_path / name
    path.write_bytes(damage((FOLDER / name).read_bytes()))
    with pytest.raises(UserError, match=said) as refused:
        importers.read(path, tool(name))
    assert str(path) in refused.value.message


def _refused_or_read(folder, name, content):
    path = folder / "damaged"
    path.write_bytes(content)
    try:
        for record in importers.read(path, tool(name)):
            assert from_json(to_json(record)) == record
    except UserError as error:
        assert str(path) in error.message
        assert error.remedy.endswith(".")


@given(st.sampled_from(FILES), st.floats(0, 1), st.integers(0, 60), st.binary(max_size=12) | st.text(max_size=6))
def test_a_damaged_file_is_read_or_refused_with_one_clear_error(tmp_path_factory, name, where, gone, put):
    raw = (FOLDER / name).read_bytes()
    place = int(where * len(raw))
    new = put if isinstance(put, bytes) else put.encode("utf-8", "surrogatepass")
    _refused_or_read(tmp_path_factory.getbasetemp(), name, raw[:place] + new + raw[place + gone :])


def _places(raw, path=()):
    yield path
    for key, value in raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ():
        yield from _places(value, (*path, key))


_JSON = {name: json.loads((FOLDER / name).read_text()) for name in FILES if name.endswith(".json")}
_ALL = [(name, place) for name, raw in _JSON.items() for place in _places(raw) if place]
_ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from(_ALL), _ANY | st.just(...))
def test_any_value_in_any_place_is_read_or_refused_with_one_clear_error(tmp_path_factory, where, value):
    name, place = where
    whole = json.loads(json.dumps(_JSON[name]))
    inner = whole
    for part in place[:-1]:
        inner = inner[part]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    _refused_or_read(tmp_path_factory.getbasetemp(), name, json.dumps(whole).encode())


_WORDS = st.sampled_from(
    ["", "-1", "nan", "inf", "1e400", "9" * 30, "pp", "tg0", "| |", "\x00", "0.00 ± 0.00", "x", "'", '"']
)


@given(
    st.sampled_from([name for name in FILES if name.endswith((".csv", ".md", ".sql"))]),
    st.integers(0, 40),
    st.integers(0, 60),
    _WORDS,
)
def test_any_cell_of_a_table_is_read_or_refused_with_one_clear_error(tmp_path_factory, name, line, cell, word):
    mark = {"csv": ",", "sql": ", "}.get(name.rpartition(".")[2], "|")
    lines = (FOLDER / name).read_text().splitlines()
    cells = lines[line % len(lines)].split(mark)
    cells[cell % len(cells)] = word
    lines[line % len(lines)] = mark.join(cells)
    _refused_or_read(tmp_path_factory.getbasetemp(), name, "\n".join(lines).encode())
