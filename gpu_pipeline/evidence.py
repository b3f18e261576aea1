"""Evidence of where a run's arrays lay."""

from typing import Any


class Evidence:
    """What `Prepared.ran_on` is told of a run whose arrays do not all live to its end."""

    def __init__(self, cupy: Any) -> None:
        """Nothing is seen yet; ``cupy`` is the module."""
        self._cupy = cupy
        self._devices: set[str] = set()

    def reset(self) -> None:
        """Begin another run."""
        self._devices.clear()

    def see(self, *arrays: Any) -> None:
        """Take note of where they lie."""
        self._devices.update("cuda" if isinstance(array, self._cupy.ndarray) else "cpu" for array in arrays)

    def ran_on(self) -> str:
        """``cuda`` where something was seen, and all of it there."""
        return "cuda" if self._devices == {"cuda"} else "cpu"
