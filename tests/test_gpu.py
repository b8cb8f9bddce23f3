"""What only a real GPU can show; skipped, with the reason, where there is none."""

import pytest
import torch

from bench.opening import open_store
from bench.progress import Progress
from bench.runner import Sweep
from bench.runs import begin, records

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]

DEVICES = [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cuda:0"]


@pytest.mark.timeout(1200)  # each point needs seconds for CUDA to start and for its power to be read
@pytest.mark.parametrize("device", DEVICES)
def test_every_workload_and_format_is_measured_or_unsupported_with_a_reason(tmp_path, small_spec, device):
    spec = small_spec(
        {
            "device": device,
            "workload": ["train", "decode"],
            "precision": ["fp32", "amp-fp16", "bf16"],
        },
        rounds=6,
    )
    with open_store(str(tmp_path), create=True) as store:
        run = begin(spec, store, "")
        Sweep(spec, store, run, Progress(0)).measure()
        found = records(store, run)
    assert {record.status for record in found} <= {"ok", "unsupported"}
    plain = [record for record in found if record.axes["precision"] == "fp32"]
    assert {record.status for record in plain} == {"ok"}
    for record in found:
        if record.status == "ok":
            assert device in str(record.facts["device"])
            # the device's own time is part of the wall time around it
            assert 0 < record.metrics["device_latency_s"].value <= record.metrics["latency_s"].value
            assert record.metrics["max_allocated_B"].value > 0
        else:
            assert record.reason


@pytest.mark.parametrize(
    ("size", "status"),
    [
        # logits of 137 GB, in one piece
        ({"vocabulary": 1 << 15, "batch_size": 1 << 12, "generated_length": 256}, "oom"),
        # a table of 1.1 TB, which is not tried
        ({"vocabulary": 1 << 24, "embedding": 1 << 14, "hidden": 8}, "does_not_fit"),
    ],
)
def test_more_than_the_devices_memory_is_told(tmp_path, small_spec, size, status):
    spec = small_spec({"device": "cuda:0"} | size)
    with open_store(str(tmp_path), create=True) as store:
        run = begin(spec, store, "")
        Sweep(spec, store, run, Progress(0)).measure()
        (record,) = records(store, run)
    assert record.status == status
