"""A larger batch: what an iteration does once, whatever its batch (reading weights, starting operators), is shared."""

from bench import host, planning, points
from bench.axes import BY_NAME
from bench.errors import UserError
from bench.remedies import Change, Refused, Situation

#: The larger one is advised where it fits into memory.
FACTORS = (4, 2)


def changes(situation: Situation) -> list[Change | Refused]:
    """Four times the batch, or twice where that many sequences do not fit into memory. Gain counts by token."""
    size = int(situation.axes["batch_size"])
    reason = ""
    for factor in FACTORS:
        wanted = {"batch_size": size * factor}
        try:
            BY_NAME["batch_size"].parse(size * factor)
            need = planning.memory_B(points.point(dict(situation.axes) | wanted), situation.inputs)
        except UserError as error:
            reason = error.message
            continue
        if situation.on_cpu and need > host.usable_memory_B():
            reason = f"It would need {need / 2**30:.1f} GiB of {host.usable_memory_B() / 2**30:.1f} GiB."
            continue
        return [_change(wanted, factor, trains=situation.trains)]
    return [Refused({"batch_size": size * FACTORS[-1]}, reason)]


def _change(axes: dict[str, int], factor: int, *, trains: bool) -> Change:
    note = "an update then averages over more sequences" if trains else ""
    return Change(dict(axes), lambda kernel: kernel.with_rows(factor), work=factor, note=note)
