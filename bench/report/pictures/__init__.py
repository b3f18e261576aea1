"""The pictures: one function for each, from rows or curves to a `Picture` with the same numbers as a table."""

from .accuracy import accuracy
from .heat_map import heat_map
from .memory import memory
from .phases import phases
from .scaling import scaling

__all__ = ["accuracy", "heat_map", "memory", "phases", "scaling"]
