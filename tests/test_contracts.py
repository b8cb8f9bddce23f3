"""What every file of a plug-in folder must offer, tested the moment it exists."""

import dataclasses

import pytest
import torch

from bench import axes, importers, points, probes, workloads
from bench.errors import Unsupported, UserError
from bench.record import MetricInfo
from bench.session import Session
from bench.spec import read, shipped
from model import architectures, plugins, shapes
from reports.ci import __name__ as ci
from reports.sections import __name__ as sections
from reports.study import study
from tests import comparisons
from tests.conftest import SMALL

SMALL_AXES = {name: value for name, value in SMALL.items() if name not in {"sequence_length", "generated_length"}}


@pytest.mark.parametrize("name", probes.names())
def test_a_probe_says_what_it_provides_and_reads_just_that_or_says_why_not(name):
    probe = probes.load(name, "cpu")
    assert probe.window_s >= 0
    assert probe.provides
    assert all(isinstance(info, MetricInfo) and info.label for info in probe.provides.values())
    reason = probe.unavailable()
    if reason is not None:
        assert reason.endswith(".")
        return
    with probe:
        sum(range(1000))
    assert set(probe.read()) <= set(probe.provides)
    assert isinstance(probe.warnings(), list)


def test_no_two_probes_provide_the_same_reading():
    provided = [reading for name in probes.names() for reading in probes.load(name, "cpu").provides]
    assert len(provided) == len(set(provided))


def small(architecture):
    """The small point on an architecture, with those of its dimensions that it has."""
    has = {field.name for field in dataclasses.fields(shapes.load(architecture).Config)}
    dimensions = {name: value for name, value in SMALL_AXES.items() if name in has}
    heads = {"heads": 2, "kv_heads": 1, "feed_forward": 16}
    dimensions |= {name: value for name, value in heads.items() if name in has}
    return dimensions | {"architecture": architecture, "sequence_length": 4, "generated_length": 2}


#: Those that need no files (a model of transformers has its own tests, in test_hf_sweep).
OURS = [name for name in axes.BY_NAME["architecture"].kind.words() if name != "hf"]


@pytest.mark.parametrize("architecture", OURS)
@pytest.mark.parametrize("workload", plugins.names("bench.workloads"))
def test_every_workload_runs_on_every_architecture_or_is_unsupported_with_a_reason(workload, architecture):
    values = points.point(small(architecture) | {"workload": workload, "batch_size": 2}).axes
    labels = shapes.labels_texts(architecture)
    if (workload == "classify" and not labels) or (workload in ("prefill", "decode") and labels):
        with pytest.raises(Unsupported, match="labels (texts|none)"):
            points.work(values)
        return
    config, work = points.config(values), points.work(values)
    model = architectures.build_any(architecture, config, seed=0)
    graded = torch.tensor([0, 1]) if labels else torch.full((2, work.generated_length), 6)
    batch = (torch.full((2, work.sequence_length), 5), graded)
    step = workloads.prepare(workload, workloads.Subject(model, [batch], "fp32", 1e-3, torch.device("cpu")), work)
    step()
    step()


@pytest.mark.parametrize("architecture", OURS)
def test_a_shape_and_a_module_of_the_same_name_agree_on_the_parameters(architecture):
    assert architecture in plugins.names("model.architectures")
    for config in shapes.load(architecture).PRESETS.values():
        assert dataclasses.is_dataclass(config)
        costs = shapes.load(architecture).costs(config, shapes.Work("train", 2, 8, 4))
        assert all(value >= 0 for value in dataclasses.astuple(costs))
        if costs.parameters < 30_000_000:
            built = architectures.build_any(architecture, config)
            assert sum(parameter.numel() for parameter in built.parameters()) == costs.parameters


@pytest.fixture
def settings(tmp_path, own_cache):
    labels = tmp_path / "labels.tsv"
    labels.write_text("good\tI like this film, it is fine\nbad\tI hate this film, it is dull\n" * 3)
    inputs = {"labels": str(labels), "classes": 2}
    return {"block_seconds": 0.001, "warmup_limit": 0, "corpus": None, "cache": str(own_cache), "inputs": inputs}


@pytest.mark.parametrize("architecture", OURS)
def test_every_architecture_is_measured_in_every_compression_or_unsupported_with_a_reason(architecture, settings):
    variants = [
        {},
        {"prune": 0.5},
        {"prune": 0.5, "prune_scheme": "structured"},
        {"prune": 0.5, "prune_scheme": "2:4"},
        {"factorize": "rank:2"},
        {"quantize": "int8-dynamic"},
        {"quantize": "int8-weight"},
        {"quantize": "int4-weight"},
        {"quantize": "fp8"},
        {"quantize": "int8-dynamic", "precision": "amp-bf16"},
        {"prune": 0.5, "prune_rounds": 2, "tuning_steps": 1},
        {"prune": 0.5, "prune_scheme": "structured", "tuning_steps": 1},
        {"prune": 0.5, "prune_rounds": 2},
        {"tuning_steps": 1},
        {"accumulation": 2},
        {"checkpointing": "on"},
        {"workload": "train"},
        {"workload": "train", "accumulation": 2},
        {"workload": "train", "accumulation": 3},
        {"workload": "train", "checkpointing": "on", "precision": "amp-bf16"},
        {"workload": "train", "optimizer": "adamw-8bit"},
    ]
    workload = "classify" if shapes.labels_texts(architecture) else "decode"
    for variant in variants:
        # one thread: in work as small as this, two would mostly wait for each other
        plain = small(architecture) | {"workload": workload, "batch_size": 2, "threads": 1}
        values = points.point(plain | variant).axes
        session = Session(values, settings)
        try:
            report = session.build()
        except Unsupported as reason:
            assert variant, "the plain model must run"
            assert str(reason).endswith(".")
            continue
        assert session.block("timed", 0, 0).samples_ns
        assert report["facts"]["stored_weights_B"] > 0
        if variant.get("prune_scheme") == "structured":
            assert points.costs(values).weights_B == report["facts"]["stored_weights_B"]


@pytest.mark.parametrize("name", importers.names())
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"[1]",
        b"[{}]",
        b"\xef\xbb\xbf",
        b"\x00\xff",
        b"a,b\n1,2\n",
        b'{"machine_info": 0, "benchmarks": 0}',
    ],
)
def test_a_format_says_what_it_is_and_refuses_what_it_is_not_with_one_clear_error(tmp_path, name, content):
    importer = importers.load(name)
    assert importer.NAME
    assert importer.DESCRIPTION
    assert importer.recognises(content) in (True, False)
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match="file"):
        importer.records(tmp_path / "file")


@pytest.mark.parametrize("name", plugins.names(sections))
def test_a_section_has_a_place_and_nothing_to_say_of_nothing_is_none(name):
    section = plugins.load(sections, name)
    assert isinstance(section.ORDER, int)
    assert section.build.__doc__
    assert section.build(study([])) is None


def test_no_two_sections_share_a_place():
    orders = [plugins.load(sections, name).ORDER for name in plugins.names(sections)]
    assert len(orders) == len(set(orders))


@pytest.mark.parametrize("name", plugins.names(ci))
def test_a_form_for_ci_systems_says_what_it_is_for_and_takes_a_refusal_too(name):
    form = plugins.load(ci, name)
    assert isinstance(form.DESCRIPTION, str)
    for made in (comparisons.comparison(), comparisons.comparison(refused="the hosts differ", findings=())):
        assert form.render(made).endswith("\n")


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_sweep_says_what_it_is_for(name):
    assert read(name, {}, {}).description


def test_a_part_of_another_package_is_found_by_its_entry_point(tmp_path, monkeypatch):
    """A package that declares an entry point adds an architecture, without touching this repository."""
    (tmp_path / "theirs.py").write_text("PRESETS = {'only': 1}\n")
    info = tmp_path / "theirs-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pinchpoint.shapes]\ntheirs = theirs\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "theirs" in shapes.names()
    assert shapes.load("theirs").PRESETS == {"only": 1}
