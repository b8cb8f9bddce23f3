"""torch.compile: elementwise operators become one that reads and writes once, and fewer are started."""

from bench.remedies import Change, Factor, Refused, Situation

#: Nothing is compiled to predict this. What stands between products may vanish into them but for a pass or two, or stay
#: as it is; products stay. A compiled call has guards to check, which costs about what a few operators do.
REST, HOST = Factor(0.7, 0.3, 1.05), Factor(0.8, 0.3, 1.3)


def changes(situation: Situation) -> list[Change | Refused]:
    """Compiled, where it is not yet."""
    if situation.axes["compile"] != "eager":
        return [Refused({"compile": "compiled"}, "It is compiled already.")]
    return [Change({"compile": "compiled"}, host=HOST, rest=REST, note="compiling takes up to minutes, once")]
