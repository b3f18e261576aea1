"""The peak memory of each phase of `pipeline/native`, at several sizes: what docs/plan.md tells of its law.

python tools/phase_memory.py [--scales 0.5 1 2 4 8 24]

The peak resident set is put back when a phase begins (Linux). Every size has a process of its own, and one run.
"""

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from technobench.bench import lean_import
from technobench.bench.cases import parameters_of
from technobench.pipeline import registry
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.stopwatch import Stopwatch
from technobench.pipeline.workload import Workload

STAGE, VARIANT, DATASET = "pipeline", "native", "seed"


def resident_mib(field: str) -> float:
    """``VmRSS``, now, or ``VmHWM``, the peak since it was put back (proc(5))."""
    return int(Path("/proc/self/status").read_text().partition(f"{field}:")[2].split()[0]) / 1024


class PhasePeaks:
    """The highest peak of each phase, in MiB, of all stopwatches."""

    def __init__(self) -> None:
        self.of: dict[str, float] = {}
        self._timed = Stopwatch.phase

    def watch(self) -> None:
        """From now on."""
        peaks = self

        @contextlib.contextmanager
        def phase(stopwatch: Stopwatch, name: str) -> Iterator[None]:
            Path("/proc/self/clear_refs").write_text("5")
            with peaks._timed(stopwatch, name):
                yield
            peaks.of[name] = max(peaks.of.get(name, 0.0), resident_mib("VmHWM"))

        Stopwatch.phase = phase


def measured(scale: float) -> str:
    """A line of one run in this process."""
    lean_import.leave_estimators_out()
    workload = Workload(catalogue.get(DATASET, scale), parameters_of(STAGE, {}))
    prepared = registry.variants()[STAGE, VARIANT].prepare(registry.stages()[STAGE].problem(workload))
    peaks, before = PhasePeaks(), resident_mib("VmRSS")
    peaks.watch()
    prepared.run()
    told = ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.of.items())
    return f"{DATASET}@{scale:g}: {before:.0f} MiB before; peaks: {told}"


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.5, 1, 2, 4, 8, 24])
    scales = parser.parse_args().scales
    if len(scales) == 1:
        print(measured(scales[0]), flush=True)
        return
    for scale in scales:
        subprocess.run([sys.executable, __file__, "--scales", str(scale)], check=True)


if __name__ == "__main__":
    main()
