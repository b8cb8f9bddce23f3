"""Which meter tells the power of a point, and what all power probes share."""

import sys
from types import SimpleNamespace

import pytest

from bench import points, power_meter, probes, summary
from bench.assembly import declared
from bench.power_meter import PowerProbe
from bench.probes import power_rapl
from bench.session import Session
from tests.conftest import SMALL
from tests.powercap_double import Tree


@pytest.fixture
def torch_of(monkeypatch):
    """A torch built for NVIDIA's GPUs or for AMD's, as far as probes ask it."""

    def make(hip):
        version = SimpleNamespace(hip=hip)
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(version=version))

    return make


@pytest.mark.parametrize(
    ("device", "hip", "meter"),
    [("cpu", None, "power_rapl"), ("cuda:0", None, "power_nvml"), ("cuda:0", "7.0", "power_amd")],
)
def test_the_power_of_a_point_has_one_source_the_meter_of_its_device(torch_of, device, hip, meter):
    torch_of(hip)
    provided = {name: probes.load(name, device).provides for name in probes.names()}
    assert [name for name, readings in provided.items() if "avg_power_W" in readings] == [meter]
    readings = [reading for each in provided.values() for reading in each]
    assert len(readings) == len(set(readings))


def test_the_energy_of_a_point_on_the_cpu_comes_from_rapl(tmp_path, monkeypatch):
    monkeypatch.setattr(power_rapl, "POWERCAP", tmp_path)
    for name, seconds in (("window_s", 0.5), ("rest_s", 0.3), ("settle_s", 0.0)):
        monkeypatch.setattr(PowerProbe, name, seconds)
    axes = points.point(SMALL | {"workload": "decode"}).axes
    with Tree(str(tmp_path), ((0.0, 100.0),)):
        session = Session(axes, {"block_seconds": 0.001, "warmup_limit": 0, "corpus": None, "cache": None})
        report = session.build()
        block = session.block("observed", -1, 0)
    provided, reasons = declared(report)
    costs = points.costs(axes)
    found = summary.metrics([block], costs.tokens, costs.flops, provided, reasons, None)
    seconds = sum(block.samples_ns) / len(block.samples_ns) / 1e9
    assert found["energy_J"].value == pytest.approx(block.readings["avg_power_W"] * seconds)
    assert found["avg_power_W"].value == pytest.approx(110, rel=0.05) or block.readings["power_doubtful"]
    assert found["idle_power_W"].value is not None
    assert "not the wall" in found["avg_power_W"].label


def test_no_probe_but_a_power_probe_lengthens_a_block_by_a_rest():
    for name in probes.names():
        probe = probes.load(name, "cpu")
        assert isinstance(probe, power_meter.PowerProbe) or type(probe).rest is probes.Probe.rest
