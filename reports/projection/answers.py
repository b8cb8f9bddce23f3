"""What is asked of a projection, and what it answers. Everybody who computes or shows one speaks these types.

Uncertain quantities are draws, so that whatever is computed from several of them keeps their dependence: draw i of one
belongs to draw i of all others of the same answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports.datasheets import Device
from reports.prices import Price
from reports.projection.models import Model

#: Bounds are the quantiles that leave so much on either side: a 90 % interval.
LOW, HIGH = 0.05, 0.95

Draws = NDArray[np.float64]
Split = Literal["none", "tensor", "pipeline", "data"]
#: From own measurements on that device; between devices that were measured; beyond them; limits alone.
Confidence = Literal["measured", "interpolated", "extrapolated", "bounds"]
Kind = Literal["estimate", "at_most", "at_least"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """An uncertain quantity; or what physics allows and no estimate: `at_most` and `at_least` have one draw."""

    draws: Draws
    unit: str
    kind: Kind = "estimate"

    @property
    def likely(self) -> float:
        """The median."""
        return self._quantiles[1]

    @property
    def low(self) -> float:
        """The 5th percentile."""
        return self._quantiles[0]

    @property
    def high(self) -> float:
        """The 95th percentile."""
        return self._quantiles[2]

    @cached_property
    def _quantiles(self) -> tuple[float, float, float]:
        low, likely, high = np.quantile(self.draws, [LOW, 0.5, HIGH]).tolist()
        return low, likely, high


@dataclass(frozen=True)
class Use:
    """One kind of request and its share of all requests. Lengths in tokens."""

    name: str
    share: float
    prompt: int
    output: int


@dataclass(frozen=True)
class Workload:
    """What is to be run: the model, its number formats, and the requests.

    `weights` and `kv` name formats of `reports.projection.formats`; `engine` is the software, None where any will do.
    Limits are those of a user: time to the first token and time per further token, in s. `demand_tokens_per_s` counts
    generated tokens of all users together. `batch` fixes the number of concurrent sequences of one replica.
    """

    model: Model
    weights: str
    kv: str
    uses: tuple[Use, ...]
    engine: str | None = None
    demand_tokens_per_s: float | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    batch: int | None = None

    @property
    def prompt(self) -> float:
        """Mean length of a prompt, tokens."""
        return sum(use.share * use.prompt for use in self.uses)

    @property
    def output(self) -> float:
        """Mean length of an output, tokens."""
        return sum(use.share * use.output for use in self.uses)


@dataclass(frozen=True)
class Candidate:
    """So many of a device that serve one replica of the model together, and how it is split over them."""

    device: Device
    devices: int = 1
    split: Split = "none"

    @property
    def label(self) -> str:
        """`4 x NVIDIA L40S`, or the device alone."""
        return self.device.name if self.devices == 1 else f"{self.devices} x {self.device.name}"


@dataclass(frozen=True)
class Fit:
    """Whether the model fits: what it needs at `batch`, by part, and what there is, in bytes over all devices.

    `most_batch` is the largest number of concurrent sequences that fits; 0 where even one does not.
    """

    fits: bool
    need_B: float
    have_B: float
    parts_B: Mapping[str, float]
    most_batch: int
    reason: str = ""


@dataclass(frozen=True)
class Trust:
    """How far an answer reaches beyond what was measured, and in which respects, each as a sentence."""

    label: Confidence
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outlook:
    """What one replica would do at `batch` concurrent sequences: times in s, power in W over all its devices.

    `tokens_per_s` counts generated tokens of all sequences with the time of their prompts in it; `limited_by` says
    what bounds a decode step: `memory bandwidth`, `compute`, `communication` or `launches`.
    """

    candidate: Candidate
    fit: Fit
    batch: int
    ttft_s: Estimate
    tpot_s: Estimate
    tokens_per_s: Estimate
    prefill_tokens_per_s: Estimate
    power_W: Estimate | None
    joules_per_token: Estimate | None
    trust: Trust
    limited_by: str


@dataclass(frozen=True)
class Refusal:
    """A candidate of which nothing honest can be said, or that cannot do the work, and why."""

    label: str
    reason: str


@dataclass(frozen=True)
class Assumptions:
    """What the user assumes of money and power; each is shown and can be set.

    `life_years` is how long a device is kept, `utilization` the mean load of its life over the projected rate,
    `electricity_per_kWh` and `hosting_per_kW_month` are in `currency`, `PUE` is the power of the whole site over that
    of its servers, `system_share` what the rest of a server costs over its devices, `system_W_share` what it draws over
    them, `idle_W_share` what a server draws while it waits over what it draws at work, `grid_g_per_kWh` grams of CO2
    equivalent; None where the user gave none. `rented` is the kind of price that is preferred for renting, and
    `rented_utilization` the mean load of a device rented on demand over the hours paid: 1 where it is given back
    whenever there is nothing to do.
    """

    currency: str = "USD"
    life_years: float = 4.0
    utilization: float = 0.6
    electricity_per_kWh: float = 0.12
    PUE: float = 1.3
    hosting_per_kW_month: float = 0.0
    system_share: float = 0.35
    system_W_share: float = 0.25
    grid_g_per_kWh: float | None = None
    idle_W_share: float = 0.3
    rented: Literal["cloud", "reserved", "spot"] = "cloud"
    rented_utilization: float = 1.0


@dataclass(frozen=True)
class Cost:
    """What a fleet costs. Money in the currency of the assumptions; a figure is None with its reason in `missing`.

    `power_kW` is what its servers draw at work, which is what a hall must provide for them; `energy_kWh_month` is a
    mean month of 730.5 h of the whole site, idle hours and cooling included.
    """

    replicas: int
    devices: int
    capital: float | None
    owned_per_Mtoken: Estimate | None
    rented_per_Mtoken: Estimate | None
    power_kW: Estimate | None
    energy_kWh_month: Estimate | None
    CO2_kg_month: Estimate | None
    break_even_months: Estimate | None
    bought_at: Price | None = None
    rented_at: Price | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Option:
    """A candidate with all its answers. `rank` counts from 1; those of one rank cannot be told apart."""

    outlook: Outlook
    cost: Cost
    rank: int = 0
    meets: bool = True
    misses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lever:
    """What the decision hangs on: the `value` of a quantity at which another option would be best.

    `sentence` says it in words; `change` is value / present value - 1.
    """

    name: str
    sentence: str
    change: float | None = None


@dataclass(frozen=True)
class Answer:
    """Options, best first by `criterion`, and what could not be answered; `notes` concern all of them."""

    workload: Workload
    assumptions: Assumptions
    options: tuple[Option, ...]
    refusals: tuple[Refusal, ...]
    criterion: Literal["owned cost", "rented cost", "energy", "speed"]
    levers: tuple[Lever, ...] = ()
    notes: tuple[str, ...] = ()
