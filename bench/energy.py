"""Mean power of the machine's devices, from counters of energy: of the GPU by NVML, of the CPU's packages by RAPL.

NVML tells the millijoules of a GPU since its driver was loaded, from Volta on
(``nvmlDeviceGetTotalEnergyConsumption``). Linux tells the microjoules of a CPU package in a counter that starts anew at
a range of its own (powercap, ``energy_uj`` and ``max_energy_range_uj``); mostly root alone may read it, and virtual
machines have none.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

LEAST_SECONDS = 1.0
"""Counters are renewed every 20 to 100 ms; over less than this a mean says little."""
_POWERCAP = Path("/sys/class/powercap")


class PowerMeter:
    """Mean power over the spans of time that it is told to count.

    read: joules since a start of its own; None where there is no such counter.
    """

    def __init__(self, read: Callable[[], float | None], clock: Callable[[], float] = time.monotonic) -> None:
        """Count nothing yet."""
        self._read, self._clock = read, clock
        self._joules = self._seconds = 0.0
        self._last: tuple[float, float] | None = None

    def start(self) -> None:
        """A span begins now; what was since the last one is not counted."""
        joules = self._read()
        self._last = None if joules is None else (joules, self._clock())

    def count(self) -> None:
        """Count what was since `start`, or since this was called last."""
        before = self._last
        self.start()
        if before is not None and self._last is not None and self._last[0] >= before[0]:
            self._joules += self._last[0] - before[0]
            self._seconds += self._last[1] - before[1]

    @property
    def watts(self) -> float | None:
        """The mean; None without a counter, or over less than `LEAST_SECONDS`."""
        return round(self._joules / self._seconds, 2) if self._seconds >= LEAST_SECONDS else None


class CpuEnergy:
    """Joules of all CPU packages, from the counters of powercap."""

    def __init__(self, folder: Path = _POWERCAP) -> None:
        """Find the packages; their parts are folders of their own, and in them already."""
        self._packages = sorted(path for path in folder.glob("intel-rapl:*") if path.name.count(":") == 1)
        self._last: dict[Path, int] = {}
        self._microjoules = 0

    def joules(self) -> float | None:
        """Those used since the first call; None where a counter cannot be read."""
        with contextlib.suppress(OSError, ValueError):
            for package in self._packages:
                now = int((package / "energy_uj").read_text())
                used = now - self._last.get(package, now)
                if used < 0:
                    used += int((package / "max_energy_range_uj").read_text())
                self._microjoules += used
                self._last[package] = now
            return self._microjoules / 1e6 if self._packages else None
        return None
