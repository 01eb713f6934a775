"""The whole behaviour of the operator: what is observed, and when → what is done."""

from trainjobs.core.decide.life import decide

__all__ = ["decide"]
