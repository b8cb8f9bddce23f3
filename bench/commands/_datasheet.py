"""The datasheet beside the measured ceilings: looked up whenever they are shown, and never kept with them."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.ceilings import Measured
    from reports.datasheet_lookup import Match, Promise
    from reports.datasheets import Catalogue


@dataclass(frozen=True)
class Datasheet:
    """The device that was measured, as the catalogue knows it, and its figures by ceiling and figure."""

    catalogue: "Catalogue"
    match: "Match"
    promises: "dict[str, dict[str, Promise]]"

    def in_words(self) -> str:
        """Whose datasheet it is, how far it can be trusted and what sets this machine apart; or why there is none."""
        device = self.match.device
        if device is None:
            return f"The datasheet's figures are not known: {self.match.reason}"
        standings = {promise.standing for figures in self.promises.values() for promise in figures.values()}
        trust = "in part from secondary tables (-o json names them)"
        if standings == {"secondary"}:
            trust = "from secondary tables (-o json names them)"
        elif "secondary" not in standings:
            trust = "from the vendor's pages" if standings else "without figures of what was measured"
        return " ".join((f"Datasheet: {device.name}, dense, {trust}.", *self.match.cautions))

    def beside(self, ceiling: str, figure: str) -> tuple[str, ...]:
        """The datasheet's figure and the share reached, `989 TFLOP/s` and `70 %`; as much of both as there is."""
        from bench import units

        promise = self.promises.get(ceiling, {}).get(figure)
        if promise is None:
            return ()
        shown = units.quantity(promise.value, promise.unit)
        if promise.share is None:
            return (shown,)
        percent = 100 * promise.share
        return shown, f"{percent:.0f} %" if percent >= 10 else f"{units.digits(percent, 2)} %"

    def as_json(self) -> dict[str, Any]:
        """The device with all its figures and their sources, and the share of each that was reached."""
        device, groups = self.match.device, {}
        if device is not None:
            groups = {
                name: asdict(group)
                | {"standing": self.catalogue.standing(group), "sources": self.catalogue.where(group)}
                for name, group in device.groups().items()
            }
        return {
            "device": None if device is None else asdict(device) | groups,
            "reason": self.match.reason,
            "cautions": self.match.cautions,
            "ceilings": {
                ceiling: {name: asdict(promise) for name, promise in figures.items()}
                for ceiling, figures in self.promises.items()
            },
        }


def look_up(measured: "Measured") -> Datasheet:
    """The datasheet of the device that `measured` is of. A GPU is asked its name anew: one host may have several."""
    from reports import datasheet_lookup, datasheets

    catalogue = datasheets.shipped()
    match = _gpu(catalogue, measured.device) if _on_gpu(measured) else _processor(catalogue)
    promises = {} if match.device is None else datasheet_lookup.beside(catalogue, match.device, measured.ceilings)
    return Datasheet(catalogue, match, promises)


def _on_gpu(measured: "Measured") -> bool:
    """Whether `auto` meant a GPU: tf32 is tried on one alone, and `auto` takes one wherever transfers reach it."""
    if measured.device != "auto":
        return measured.device.startswith("cuda")
    transfers = measured.ceilings.get("transfer", {}).values()
    return "matmul_tf32_FLOP_per_s" in measured.ceilings.get("matmul", {}) or any(
        figure.value is not None for figure in transfers
    )


def _gpu(catalogue: "Catalogue", device: str) -> "Match":
    from bench import nvml
    from bench.errors import Unsupported
    from reports import datasheet_lookup

    try:
        told = nvml.describe_one("cuda" if device == "auto" else device)
    except (Unsupported, nvml.GpuLost) as reason:
        return datasheet_lookup.Match(None, str(reason))
    memory_B, limit_W = (
        value if isinstance(value := told[name], float) else None for name in ("memory_B", "power_limit_W")
    )
    return datasheet_lookup.accelerator(catalogue, str(told["name"]), memory_B, limit_W)


def _processor(catalogue: "Catalogue") -> "Match":
    from bench import host
    from reports import datasheet_lookup

    return datasheet_lookup.processor(catalogue, str(host.describe()["cpu"]))
