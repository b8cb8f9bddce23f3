"""Empty operators after each iteration: as if each of its own took that much longer to be dispatched.

With K of them beside its own N, dispatching goes at N / (N + K) of its rate.
"""

from bench.interventions import Change, Conditions, Setting

LABEL = "extra empty operators"
#: Their share of an iteration, by the ceiling `dispatch_empty_s`: well above what noise does, little enough that the
#: cost of one stays what it was.
SHARE = 0.15


def unavailable(setting: Setting) -> str | None:
    """It takes the number of operators of an iteration, and the time of an empty one."""
    if setting.dispatch_s is None:
        return "The time of an empty operator is not known: no ceiling of dispatching was measured."
    if not setting.dispatches:
        return "How many operators an iteration calls is not known of a compiled model."
    return None


def change(setting: Setting) -> Change:
    """So many that they take `SHARE` of an iteration, but no more than it has itself: a rate is at most halved."""
    assert setting.dispatches is not None
    assert setting.dispatch_s is not None
    wanted = round(SHARE * setting.iteration_s / setting.dispatch_s)
    extra = min(max(wanted, 1), setting.dispatches)
    return Change(Conditions(extra_dispatches=extra, extra_share=extra / setting.dispatches))
