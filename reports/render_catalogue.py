"""The catalogue of devices and the published models on a terminal, within 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.units import digits
from reports import labels, prices
from reports.datasheets import Device
from reports.projection.models import Model

_NOTHING = "—"
_TERA, _GIB = 1e12, 2**30
_LEGEND = (
    "Peaks are dense, for fp16 and fp8 products. The price is the newest to buy, or else to rent an hour. A dash: "
    "not known. Figures can be added or replaced with --catalogue."
)


def print_devices(devices: Sequence[Device], console: Console) -> None:
    """One line or two a device: kind, memory, bandwidth, peaks, power limit and newest price."""
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("device", overflow="fold", max_width=25)
    table.add_column("kind", no_wrap=True)
    for head in ("GiB", "TB/s", "fp16\nTFLOP/s", "fp8\nTFLOP/s", "W", "price"):
        table.add_column(head, justify="right", no_wrap=True)
    for device in devices:
        memory, peaks = device.memory, device.peaks
        table.add_row(
            Text(labels.plain(device.name)),
            device.kind,
            _figure(memory.size_B if memory else None, _GIB),
            _figure(memory.bandwidth_B_per_s if memory else None, _TERA),
            _figure((peaks.fp16_FLOP_per_s or peaks.bf16_FLOP_per_s) if peaks else None, _TERA),
            _figure(peaks.fp8_FLOP_per_s if peaks else None, _TERA),
            _figure(device.power.limit_W if device.power else None),
            Text(_price(device)),
        )
    console.print(table)
    console.print()
    console.print(Text(f"{labels.count(len(devices), 'device')}. {_LEGEND}", style="dim"))


def _figure(value: float | None, factor: float = 1.0) -> str:
    return _NOTHING if value is None else digits(value / factor)


def _price(device: Device) -> str:
    """The newest price to buy, else to rent."""
    for per, suffix in (("device", ""), ("hour", "/h")):
        found = [price for price in device.price if price.per == per]
        if found:
            price = prices.newest(found)
            return f"{digits(price.amount)} {labels.plain(price.currency)}{suffix}"
    return _NOTHING


def print_models(models: Sequence[Model], console: Console) -> None:
    """One line a model: parameters, those that a token passes, layers and context."""
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("model", no_wrap=True)
    for head in ("10⁹ parameters", "a token passes", "layers", "cache/token, KiB fp16", "context"):
        table.add_column(head, justify="right")
    for model in models:
        table.add_row(
            model.name,
            digits(model.parameters / 1e9),
            digits(model.active_parameters / 1e9),
            str(model.layers),
            digits(2 * model.kv_values / 1024),
            f"{model.context:,}" if model.context else _NOTHING,
        )
    console.print(table)
    console.print()
    console.print(Text(f"{labels.count(len(models), 'model')}; also transformer/SIZE, or a folder.", style="dim"))
