"""Own records as rows of a projection: ideal times by hand, what is left out and why, what the model makes of them."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.axes import AXES
from bench.record import Ceiling, Metric
from reports import datasheets
from reports.datasheets import Catalogue
from reports.projection import calibrated, counts, formats, models, own
from tests import factories

FLOP_PER_S, B_PER_S = 1e11, 1e10
CEILINGS = {
    "matmul_fp32_FLOP_per_s": Ceiling(FLOP_PER_S, "FLOP/s", 1, "matmul, fp32"),
    "matmul_bf16_FLOP_per_s": Ceiling(2 * FLOP_PER_S, "FLOP/s", 1, "matmul, bf16"),
    "matmul_int8_OP_per_s": Ceiling(4 * FLOP_PER_S, "OP/s", 1, "matmul, int8"),
    "matmul_fp16_FLOP_per_s": Ceiling(None, "FLOP/s", 1, "matmul, fp16", reason="no such kernel"),
    "read_B_per_s": Ceiling(B_PER_S, "B/s", 1, "read, memory"),
}
H100 = {"accelerator": "NVIDIA H100 80GB HBM3", "accelerator_memory_B": 85_520_809_984, "power_limit_W": 700.0}


def measured(latency_s=0.01, **axes):
    """A record of a processor whose ceilings are known."""
    plain = factories.record(**axes)
    told = Metric(latency_s, "s", -1, "time per iteration", latency_s * 0.98, latency_s * 1.03, 9)
    return replace(plain, ceilings=CEILINGS, metrics={**plain.metrics, "latency_s": told})


def on_gpu(record, **host):
    return replace(record, facts={**record.facts, "device": "cuda:0 (a GPU)"}, host={**record.host, **H100, **host})


def read(*records):
    return own.read(records, datasheets.shipped())


def test_an_lstms_decode_has_the_ideal_time_of_its_steps():
    (row,) = read(measured(0.01, architecture="lstm", size="nano", workload="decode")).fitted
    width, vocabulary, gates = 160, 4096, 4 * 160
    step_flops = 2 * gates * (width + width) + 2 * width * vocabulary
    lookup = 8 + 2 * 4 * width
    layer = 4 * (gates * (width + 1) + width + gates + gates * (width + 1) + 8 * width)
    projection = 4 * (width * vocabulary + vocabulary + width + vocabulary)
    step_s = math.hypot(step_flops / FLOP_PER_S, (lookup + layer + projection) / B_PER_S)
    assert row.ideal.total_s == pytest.approx(16 * step_s)
    assert row.log == pytest.approx(math.log(0.01 / (16 * step_s)))
    assert row.observation.seconds == pytest.approx(0.01)
    assert (row.observation.source, row.observation.engine, row.observation.weights) == ("own", "pinchpoint", "fp32")


def test_a_transformers_decode_is_counted_as_published_models_are():
    (row,) = read(measured(0.01, architecture="transformer", size="nano", workload="decode", batch_size=2)).fitted
    parameters, layers, width = 1_072_000, 3, 128
    seen = 63 + (16 + 1) / 2  # the last token of the prompt is read by the first step
    step_flops = 2 * (2 * parameters + 4 * layers * width * seen)
    step_B = 4 * (parameters + 2 * 2 * layers * width * seen)
    assert row.ideal.total_s == pytest.approx(16 * math.hypot(step_flops / FLOP_PER_S, step_B / B_PER_S))


def test_a_decoders_prefill_reads_all_but_one_token_and_projects_none():
    (row,) = read(measured(0.01, architecture="transformer", size="nano", workload="prefill")).fitted
    parameters, head, read_tokens = 1_072_000, 4096 * 128, 63
    flops = 2 * (parameters - head) * read_tokens + 2 * 3 * 128 * read_tokens * (read_tokens + 1)
    moved = 4 * (parameters - head + 2 * 3 * 128 * read_tokens)
    assert row.ideal.total_s == pytest.approx(math.hypot(flops / FLOP_PER_S, moved / B_PER_S))
    assert row.observation.prompt == 63


@pytest.mark.parametrize("architecture", ["lstm", "rnn", "cnn", "seq2seq", "transformer"])
def test_prefill_and_decode_of_every_architecture_become_one_work(architecture):
    records = [measured(architecture=architecture, workload=workload) for workload in ("prefill", "decode")]
    found = read(*records)
    (work,) = found.workloads
    assert [each.workload for each in work.measured] == ["prefill", "decode"]
    assert (work.model.name, work.batch, work.prompt, work.output) == (f"{architecture}/nano", 1, 64, 16)
    assert [each.point for each in work.measured] == [record.point for record in records]
    assert work.measured[0].low < work.measured[0].value < work.measured[0].high


@pytest.mark.parametrize("architecture", ["lstm", "rnn"])
def test_a_recurrent_prompt_calls_its_layers_for_each_token(architecture):
    model = models.named(f"{architecture}/tiny")
    read_only = counts.job(model, 4, 4, batch=1, prompt=50, output=0, logits=False)
    both = counts.job(model, 4, 4, batch=1, prompt=50, output=11)
    assert read_only.layers == model.layers * 50
    assert both.layers * both.steps == pytest.approx(model.layers * (50 + 11), rel=0.05)
    assert counts.job(model, 4, 4, batch=1, prompt=0, output=10, depth=50).layers == model.layers


def test_an_lstms_prompt_reads_its_weights_once():
    (row,) = read(measured(0.01, architecture="lstm", size="nano", workload="prefill", batch_size=2)).fitted
    width, gates, tokens = 160, 4 * 160, 2 * 64
    flops = 2 * gates * (width + width) * tokens
    weights = 2 * gates * (width + 1)
    activations = 2 * (8 + 4 * (2 * width + width + gates + 8 * width))  # of one token of either sequence
    assert row.situation.counts.prompt_flops == flops
    assert row.situation.counts.prompt_B == pytest.approx(4 * weights + activations)


def test_an_encoder_decoder_takes_a_step_for_its_first_token():
    model = models.named("lstm/tiny")
    alone = counts.job(model, 4, 4, batch=2, prompt=50, output=0, logits=False)
    first = counts.job(model, 4, 4, batch=2, prompt=50, output=1)
    later = counts.job(model, 4, 4, batch=2, prompt=0, output=10, depth=50)
    assert (first.steps, alone.steps) == (0, 0)
    assert first.prompt_B - alone.prompt_B == pytest.approx(later.step_B)
    assert first.prompt_flops - alone.prompt_flops == pytest.approx(later.step_flops)


def test_narrower_weights_move_fewer_bytes_and_compute_the_same():
    model = models.named("lstm/tiny")
    jobs = [
        counts.job(model, formats.FORMATS[name].bytes, 4, batch=1, prompt=8, output=8)
        for name in ("fp32", "int8-dynamic", "int4-weight")
    ]
    assert jobs[0].step_B > jobs[1].step_B > jobs[2].step_B
    assert len({job.step_flops for job in jobs}) == 1


def test_classifiers_are_no_models_to_project():
    with pytest.raises(Exception, match="labels texts"):
        models.of_shape("classifier", None, "one")


def test_measured_ceilings_stand_in_for_a_processor_without_a_datasheet():
    found = read(measured(workload="decode"))
    device = found.device
    assert (device.kind, device.architecture, device.name) == ("processor", "x86", "Imaginary CPU @ 2.00GHz, 2 threads")
    assert device.memory.bandwidth_B_per_s == B_PER_S
    assert device.peaks.fp32_FLOP_per_s == FLOP_PER_S
    assert device.peaks.fp16_FLOP_per_s is None
    assert any("stand in for its datasheet" in note for note in found.notes)
    catalogue = Catalogue({**datasheets.shipped().sources, **own.SOURCES}, datasheets.shipped().device)
    assert catalogue.standing(device.memory) == "own"


def test_without_ceilings_or_a_datasheet_a_record_is_left_out():
    found = read(factories.record(workload="decode"))
    assert (found.fitted, found.workloads, found.device) == ((), (), None)
    assert "names no model of a processor, as in many virtual machines, and there are no ceilings" in " ".join(
        found.notes
    )


def test_the_ceilings_of_another_record_of_the_machine_serve_too():
    plain = factories.record(workload="decode", size="tiny")
    assert len(read(plain, measured(workload="decode")).fitted) == 2


@pytest.mark.parametrize(("threads", "of"), [(64, "AMD EPYC 7763"), (2, "AMD EPYC 7763 64-Core Processor, 2 threads")])
def test_a_datasheet_is_of_a_whole_processor(threads, of):
    record = measured(workload="decode", threads=threads)
    host = {**record.host, "cpu": "AMD EPYC 7763 64-Core Processor", "cores": 64}
    assert read(replace(record, host=host)).device.name == of


def test_a_gpu_has_its_datasheet_its_own_power_limit_and_a_row_of_power():
    record = on_gpu(measured(workload="decode", architecture="transformer", precision="bf16"), power_limit_W=500.0)
    record = replace(record, metrics={**record.metrics, "avg_power_W": Metric(250.0, "W", -1, "of the GPU's board")})
    found = read(record)
    times, watts = found.fitted
    assert found.device.name == "NVIDIA H100 SXM"
    assert found.device.power.limit_W == 500
    assert times.noise == "noise: decode"
    assert (watts.noise, watts.observation.measure) == (calibrated.POWER_NOISE, "power")
    assert watts.log == pytest.approx(math.log(0.5))
    assert any("500 W" in note for note in found.notes)


def test_a_gpu_that_is_not_in_the_catalogue_is_named():
    found = read(on_gpu(measured(workload="decode"), accelerator="Imaginary GPU"))
    assert "1 record left out: 'Imaginary GPU' is not in the catalogue; describe it" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ({"workload": "train"}, "the workload 'train' is not projected"),
        ({"prune": 0.5}, "a pruned model has no number format"),
        ({"factorize": "rank:8"}, "a factorized model has no number format"),
        ({"quantize": "int8-weight"}, "int8-weight leaves most weights of the architecture 'lstm' as they are"),
        ({"architecture": "transformer", "workload": "prefill", "sequence_length": 1}, "a prompt of one token"),
        ({"architecture": "hf", "model": "unheard@01234567"}, "a record holds no config.json"),
    ],
)
def test_what_cannot_be_projected_is_left_out_with_the_reason(axes, reason):
    found = read(measured(**{"workload": "decode", **axes}), measured(workload="decode", size="tiny"))
    assert [each.observation.model for each in found.fitted] == ["lstm/tiny"]
    assert f"1 record left out: {reason}" in " ".join(found.notes)


def test_a_model_of_transformers_is_the_published_one_of_its_name():
    record = measured(workload="decode", architecture="hf", model="gpt2@01234567")
    (row,) = read(replace(record, facts={**record.facts, "parameters": 124_439_808})).fitted
    assert (row.observation.model, row.observation.engine) == ("GPT-2", "transformers")


def test_records_that_hold_no_measurement_are_counted():
    failed = [factories.record("oom", "no memory", workload="decode", batch_size=size) for size in (1, 2)]
    assert "2 records left out: they hold no measurement (oom)." in read(*failed).notes


def test_of_several_records_of_one_point_the_latest_counts():
    old, new = measured(0.02, workload="decode"), measured(0.01, workload="decode")
    found = read(replace(new, finished_at="2026-03-01T00:00:00+00:00"), old)
    assert [each.observation.seconds for each in found.fitted] == [pytest.approx(0.01)]
    assert any("1 record gave way" in note for note in found.notes)


def test_autocast_gives_way_to_the_format_itself():
    real = measured(0.01, workload="decode", precision="bf16")
    cast = replace(measured(0.02, workload="decode", precision="amp-bf16"), finished_at="2026-03-01T00:00:00+00:00")
    assert [each.observation.seconds for each in read(real, cast).fitted] == [pytest.approx(0.01)]
    (alone,) = read(cast).fitted
    assert alone.observation.weights == "bf16"


@pytest.mark.parametrize(
    ("axes", "engine", "weights", "peak"),
    [
        ({}, "pinchpoint", "fp32", FLOP_PER_S),
        ({"compile": "compiled"}, "pinchpoint compiled", "fp32", FLOP_PER_S),
        ({"precision": "bf16"}, "pinchpoint", "bf16", 2 * FLOP_PER_S),
        ({"quantize": "int8-dynamic"}, "pinchpoint", "int8-dynamic", 4 * FLOP_PER_S),
    ],
)
def test_axes_become_an_engine_and_a_format(axes, engine, weights, peak):
    (row,) = read(measured(workload="decode", **axes)).fitted
    assert (row.situation.engine, row.situation.weights) == (engine, weights)
    assert formats.product(row.situation.device, weights)[1] == peak


def test_a_cache_in_its_own_format_is_counted_so():
    plain, narrow = (
        read(measured(workload="decode", architecture="transformer", kv_cache=cache)).fitted[0]
        for cache in ("preset", "int8")
    )
    assert (plain.observation.kv, narrow.observation.kv) == ("fp32", "int8")
    assert narrow.situation.counts.step_cached_B == pytest.approx(plain.situation.counts.step_cached_B / 4)


def test_faster_than_the_memory_is_said_to_come_from_the_caches():
    assert any("processor's caches" in note for note in read(measured(1e-4, workload="decode")).notes)


def test_a_whole_sweep_gives_a_row_for_each_time_that_can_be_projected():
    records = [replace(record, ceilings=CEILINGS) for record in factories.sweep()]
    found = read(*records)
    told = [r for r in records if r.status == "ok" and r.axes["workload"] != "train" and not r.axes["prune"]]
    assert len(found.fitted) == len(told)
    assert {each.observation.weights for each in found.fitted} == {"fp32", "bf16", "int8-dynamic"}
    assert sum(len(work.measured) for work in found.workloads) == len(told)
    assert sum(int(note.split()[0]) for note in found.notes if "left out" in note) == len(records) - len(told)


def test_the_model_learns_own_rows_to_within_their_noise():
    points = [
        (workload, size, batch) for workload in ("prefill", "decode") for size in ("nano", "tiny") for batch in (1, 16)
    ]
    rows = read(*(measured(workload=w, size=s, batch_size=b) for w, s, b in points)).fitted
    slower = {"prefill": 1.2, "decode": 2.5}  # ln(real / ideal) of a machine that is off by so much
    made = [replace(row, log=math.log(slower[row.observation.phase])) for row in rows]
    model = calibrated.calibrated((*calibrated.shipped().fitted, *made), calibrated.scales())
    means, spreads = model.times.predict([row.row for row in made])
    for row, mean, spread in zip(made, means, spreads, strict=True):
        assert abs(mean - row.log) <= 2 * math.hypot(spread, calibrated.scales()[row.noise])


VALUES = st.one_of(
    st.integers(-2, 2**40), st.floats(), st.text(max_size=6), st.sampled_from(["cpu", "cuda:0", "auto", "none", "bf16"])
)
STRANGE = st.dictionaries(st.sampled_from([axis.name for axis in AXES]), VALUES, max_size=4)
FACTS = st.dictionaries(
    st.sampled_from(
        ["device", "threads", "parameters", "model", "imported_from", "weights_format", "backend", "devices",
         "concurrency", "prompt_tokens", "output_tokens", "depth_tokens", "requests", "engine", "n_threads"]
    ), VALUES | st.sampled_from(["llama 8B", "Q4_K_M", "CUDA", "Llama-3.1-8B"]), max_size=9,
)  # fmt: skip
HOSTS = st.dictionaries(
    st.sampled_from(["cpu", "accelerator", "accelerator_memory_B", "power_limit_W", "cores", "memory_B", "os"]),
    st.none() | VALUES | st.just("NVIDIA H100 80GB HBM3"), max_size=4,
)  # fmt: skip


@settings(max_examples=60)
@given(axes=STRANGE, facts=FACTS, host=HOSTS, latency=VALUES, workload=st.sampled_from(["prefill", "decode"]))
def test_no_record_is_too_strange_to_be_read(axes, facts, host, latency, workload):
    plain = measured(workload=workload)
    metrics = {"latency_s": Metric(latency, "s", -1, ""), "throughput_tokens_per_s": Metric(latency, "tokens/s", 1, "")}
    record = replace(
        plain,
        axes={**plain.axes, **axes},
        facts={**plain.facts, **facts},
        host={**plain.host, **host},
        metrics={**plain.metrics, **metrics},
    )
    found = read(record)
    assert bool(found.fitted) != any("1 record left out" in note for note in found.notes)
    assert all(math.isfinite(value) for row in found.fitted for value in (row.log, *row.row.values()))
