"""What the interventions that lower a GPU's clock and its power limit share. They have met NVML's double only."""

from typing import Literal

from bench.interventions import Change, Conditions, Lowered, Setting

#: Of what it was: well above noise, and within what boards allow.
SHARE = 0.75
#: A power limit holds for an average, so a short block after a rest would not feel it. How long that average is, is not
#: documented; half a second is a guess on the safe side, for the block with the intervention and the plain one alike.
LEAD_IN_S = 0.5


def unavailable(setting: Setting) -> str | None:
    """Why nothing can be lowered; None where it can be tried. Whether this user may is known only by trying."""
    if setting.on_cpu:
        return "The model runs on the processor; only the clock and power limit of a GPU can be lowered here."
    if not setting.linux:
        return "The process that restores the clock and the power limit runs on Linux only."
    if setting.gpu is None:
        return (
            "NVML does not know this GPU as a whole: see `pinchpoint doctor`, and run outside of a MIG slice, as root."
        )
    return None


def change(setting: Setting, what: Literal["clock", "power"]) -> Change:
    """The same work with it lowered and without, both after a lead-in."""
    assert setting.gpu is not None
    under, plain = Conditions(slowed=True, lead_in_s=LEAD_IN_S), Conditions(lead_in_s=LEAD_IN_S)
    return Change(under, plain, lowered=Lowered(setting.gpu, what, SHARE))
