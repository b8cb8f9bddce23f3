"""The error that a user sees, and the answer of a device or build that cannot. Standard library only: all import it."""


class UserError(Exception):
    """Bad input or a bad environment: one clear sentence, and the remedy. The command line exits with 2."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


class Unsupported(Exception):  # noqa: N818 - an answer, not a fault: it becomes an `unsupported` record
    """What was asked for cannot be done by this device, build or combination; the text is the reason."""
