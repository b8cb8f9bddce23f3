"""How many units structured pruning leaves; which units a layer has, its own file says."""


def left(units: int, share: float) -> int:
    """How many of `units` stay after `share` of them is removed: the nearest whole number, but never none."""
    return max(round(units * (1 - share)), 1)
