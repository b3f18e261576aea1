"""The peak memory of each phase of `pipeline/native`, at several sizes: what docs/plan.md tells of its law.

python tools/phase_memory.py [--scales 0.5 1 2 4 8 24]

The peak resident set is put back when a phase begins (Linux). Every size has a process of its own, and one run.
"""

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator

import psutil
from technobench.bench import lean_import
from technobench.bench.cases import parameters_of
from technobench.bench.worker import peak_resident_bytes
from technobench.pipeline import registry
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.stopwatch import Stopwatch
from technobench.pipeline.workload import Workload

STAGE, VARIANT, DATASET = "pipeline", "native", "seed"


def watched() -> dict[str, int]:
    """The highest peak of each phase, in bytes, of all stopwatches from now on."""
    peaks: dict[str, int] = {}
    timed = Stopwatch.phase

    @contextlib.contextmanager
    def phase(stopwatch: Stopwatch, name: str) -> Iterator[None]:
        peak_resident_bytes(reset=True)
        with timed(stopwatch, name):
            yield
        peaks[name] = max(peaks.get(name, 0), peak_resident_bytes() or 0)

    Stopwatch.phase = phase
    return peaks


def measured(scale: float) -> str:
    """A line of one run in this process."""
    lean_import.leave_estimators_out()
    workload = Workload(catalogue.get(DATASET, scale), parameters_of(STAGE, {}))
    prepared = registry.variants()[STAGE, VARIANT].prepare(registry.stages()[STAGE].problem(workload))
    before, peaks = psutil.Process().memory_info().rss, watched()
    prepared.run()
    told = ", ".join(f"{name} {peak / 2**20:.0f}" for name, peak in peaks.items())
    return f"{DATASET}@{scale:g}: {before / 2**20:.0f} MiB before; peaks: {told}"


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
