import json
from dataclasses import replace

import pytest

from bench import points, spec
from bench.commands import _acceptance
from bench.errors import UserError
from bench.opening import open_store
from bench.record import to_json
from bench.store import Run
from tests import conftest, factories, sides

#: Points that a real run takes moments for; nothing here is about how long.
SMALL = {**conftest.SMALL, "architecture": "lstm", "size": "nano"}
SETTINGS = {**conftest.QUICKLY, "repetitions": 6}
HOST = {"pinchpoint": _acceptance._version()}


def measured(seconds, workload="decode", run="20260101-a", **host):
    times = [seconds * (1 + 0.001 * n) for n in range(8)]
    return sides.record(times, run, {**HOST, **host}, **SMALL, workload=workload)


OWN = [measured(0.010), measured(0.020, "prefill")]


def keep(folder, records, settings=None, **fields):
    """A store with one run of these records."""
    run = records[0].run
    with open_store(str(folder), create=True) as store:
        chosen = {**_SETTINGS, **(settings or {})}
        store.add_run(
            Run(run, "spec", records[0].started_at, tuple(r.axes for r in records), chosen, "", records[0].host)
        )
        for each in records:
            for block in each.blocks:
                store.add_block(run, each.point, block)
            store.put_record(replace(each, **fields))
    return str(folder)


_SETTINGS = spec.choose_settings(_acceptance._SETTINGS | SETTINGS)


def written(folder, factor=0.5, records=None, **options):
    told = {"title": "Racks", "metrics": ["latency_s"], "settings": SETTINGS} | options
    return _acceptance.write(folder, records or OWN, factor=factor, **told)


@pytest.fixture
def pack(tmp_path):
    """Asks for half as good as `OWN`: 20 ms of decode and 40 ms of prefill at most."""
    written(tmp_path / "pack")
    return tmp_path / "pack"


def test_a_vendor_runs_the_spec_for_real_and_what_comes_back_is_judged(pinchpoint, tmp_path):
    made = written(tmp_path / "pack", factor=1e-6, records=OWN[:1])
    assert (made.points, made.requirements) == (1, 1)
    back = tmp_path / "returned"
    code, _, err = pinchpoint("sweep", tmp_path / "pack" / "spec.toml", "--output-dir", back, "--ceilings=none", "-q")
    assert code == 0, err
    code, out, err = pinchpoint("compare", tmp_path / "pack", back)
    assert (code, err) == (0, "")
    assert "Accepted: the limit is met." in out
    assert made.seal in out
    export = tmp_path / "returned.jsonl"
    export.write_text(pinchpoint("export", back)[1])
    code, out, _ = pinchpoint("compare", tmp_path / "pack", export)
    assert code == 0
    assert "does not hold the settings" in " ".join(out.split())


def test_the_table_of_verdicts_fits_80_columns(pinchpoint, pack, tmp_path):
    code, out, _ = pinchpoint("compare", pack, keep(tmp_path / "slow", [measured(0.030), OWN[1]]))
    assert code == 1
    assert "✗ missed" in out
    assert "✓ met" in out
    assert "≤ 20.1 ms" in out.replace("\u00a0", " ")
    assert "Not accepted: of 2 limits, 1 missed." in out
    assert max(map(len, out[out.index("requirement") :].splitlines())) <= 80


def test_a_killed_run_leaves_points_without_a_figure_and_why(pinchpoint, pack, tmp_path):
    killed = replace(OWN[0], status="interrupted", reason="the sweep ended after 3 blocks of this point")
    code, out, _ = pinchpoint("compare", pack, keep(tmp_path / "killed", [killed]), "-o", "json")
    first, second = json.loads(out)["offers"][0]["requirements"]
    assert code == 3
    assert (first["verdict"], second["verdict"]) == ("missing", "missing")
    assert first["reason"] == "interrupted: the sweep ended after 3 blocks of this point"
    assert "no record" in second["reason"]


def test_several_returned_stores_are_ranked_and_the_best_decides(pinchpoint, pack, tmp_path):
    quick = keep(tmp_path / "quick", [measured(0.005), measured(0.010, "prefill")])
    slow = keep(tmp_path / "slow", [measured(0.030), measured(0.001, "prefill")])
    code, out, _ = pinchpoint("compare", pack, slow, quick, "-o", "json")
    content = json.loads(out)
    assert code == content["exit_code"] == 0
    assert [(each["label"], each["place"]) for each in content["offers"]] == [(quick, 1), (slow, 2)]
    assert content["offers"][0]["score"]["value"] == pytest.approx(4, rel=0.01)
    code, out, _ = pinchpoint("compare", pack, slow, quick)
    assert code == 0
    assert "accepted" in out


def test_only_the_newest_run_of_a_store_counts_and_others_are_said(pinchpoint, pack, tmp_path):
    where = keep(tmp_path / "twice", OWN)
    again = [measured(0.030, run="b"), measured(0.020, "prefill", run="b")]
    keep(where, [replace(each, started_at="2027-01-01T00:00:00+00:00") for each in again])
    code, out, _ = pinchpoint("compare", pack, where)
    assert code == 1
    assert "the newest one, b, was judged" in " ".join(out.split())


def test_a_pack_that_was_changed_is_noticed(pinchpoint, pack, tmp_path):
    where = keep(tmp_path / "back", OWN)
    limits = pack / "limits.toml"
    limits.write_text(limits.read_text().replace('"Racks"', '"Towers"'))
    code, _, err = pinchpoint("compare", pack, where)
    assert (code, "limits.toml of" in err, "was changed" in err) == (2, True, True)
    assert pinchpoint("compare", pack, where, "--anyway")[0] == 0
    sweep = pack / "spec.toml"
    sweep.write_text(sweep.read_text().replace("batch_size = 1\n", "batch_size = 2\n"))
    code, _, err = pinchpoint("compare", pack, where, "--anyway")
    assert (code, "not of the same points" in err) == (2, True)
    (pack / "pack.sha256").unlink()
    assert "no whole pack" in pinchpoint("compare", pack, where)[2]


def test_a_run_under_other_settings_is_not_accepted(pinchpoint, pack, tmp_path):
    code, out, _ = pinchpoint("compare", pack, keep(tmp_path / "back", OWN, {"rounds": 7}))
    assert code == 3
    assert "rounds 7 for 2" in out


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--fail-on", "latency:5%"], "--fail-on is not for a pack"),
        (["--inconclusive", "pass"], "--inconclusive is not for a pack"),
        (["-o", "csv"], "not as csv"),
    ],
)
def test_flags_of_the_gate_do_not_bend_a_pack(pinchpoint, pack, tmp_path, flags, says):
    code, _, err = pinchpoint("compare", pack, keep(tmp_path / "back", OWN), *flags)
    assert (code, says in err) == (2, True)


def test_without_a_pack_two_sides_are_compared_and_no_more(pinchpoint, tmp_path):
    where = keep(tmp_path / "back", OWN)
    code, _, err = pinchpoint("compare", where, where, where)
    assert (code, "3 are named" in err) == (2, True)


def test_what_is_no_record_of_ours_is_a_usage_error_that_names_it(pinchpoint, pack, tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text("device,price\n")
    code, _, err = pinchpoint("compare", pack, file)
    assert (code, "prices.csv, line 1" in err) == (2, True)


def test_a_file_of_records_without_samples_is_not_accepted(pinchpoint, pack, tmp_path):
    file = tmp_path / "returned.jsonl"
    file.write_text("".join(to_json(replace(each, blocks=[])) + "\n" for each in OWN))
    code, out, _ = pinchpoint("compare", pack, file)
    assert code == 3
    assert "without samples" in out


def test_a_pack_is_not_overwritten_unless_told_to(pack):
    before = (pack / "limits.toml").read_text()
    with pytest.raises(UserError, match="already"):
        written(pack)
    assert (pack / "limits.toml").read_text() == before
    written(pack, factor=2.0, overwrite=True)
    assert (pack / "limits.toml").read_text() != before


def test_too_few_processes_for_an_interval_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="no interval"):
        written(tmp_path / "pack", settings={"repetitions": 5})
    assert not (tmp_path / "pack").exists()


def test_what_a_pack_leaves_out_is_said_in_its_files(tmp_path):
    foreign = replace(factories.record(workload="train"), facts={"imported_from": "other 1.0"})
    made = _acceptance.write(tmp_path, [*OWN, foreign], title="Racks", metrics=["latency_s"])
    assert [each.startswith("nano, train") for each in made.left_out] == [True]
    assert "measured by other 1.0" in (tmp_path / "INSTRUCTIONS.md").read_text()


def test_a_model_of_transformers_needs_no_files_to_be_asked_for_nor_to_be_judged(pinchpoint, tmp_path):
    axes = points.point({"architecture": "hf", "model": "org/name@0123abcd", "size": "own", "workload": "decode"}).axes
    model = replace(OWN[0], axes=axes, point=points.point(axes).id)
    _acceptance.write(tmp_path / "pack", [model], title="Racks", metrics=["latency_s"], factor=0.5, settings=SETTINGS)
    assert "--model org/name" in (tmp_path / "pack" / "INSTRUCTIONS.md").read_text()
    assert pinchpoint("compare", tmp_path / "pack", keep(tmp_path / "back", [model]))[0] == 0
    assert pinchpoint("compare", tmp_path / "pack", keep(tmp_path / "other", [OWN[0]]))[0] == 3
