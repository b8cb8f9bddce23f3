"""The error type of the whole project (it lives in `model`, which may import nothing of `bench`)."""

from model.errors import Unsupported, UserError

__all__ = ["Unsupported", "UserError"]
