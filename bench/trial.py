"""An experiment while it runs: what its pairs of blocks have told so far."""

from dataclasses import dataclass, field
from statistics import median

from bench.interventions import Change
from bench.record import Experiment


@dataclass
class Trial:
    """Logs of time with the change over time without, by process, and those of each rate; or why it cannot be made."""

    name: str
    change: Change
    logs: list[float] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    rate_logs: dict[str, list[float]] = field(default_factory=dict)
    reason: str | None = None

    def done(self) -> Experiment:
        """What a record keeps of it."""
        if self.reason is not None:
            return Experiment(self.name, [], {}, self.change.null, self.reason)
        rates = {resource: median(logs) for resource, logs in self.rate_logs.items()}
        return Experiment(self.name, self.logs, rates, self.change.null, None, self.processes, self.rate_logs)
