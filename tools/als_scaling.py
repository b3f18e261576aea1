"""How the native ALS grows with the interactions: time per iteration and peak memory on `planted`, scale by scale.

    python tools/als_scaling.py [--scales 1 4 10 40] [--factors 64]

Each scale is a process of its own, since a peak is a process's; the dataset is made if it is not there (about 3
microseconds an interaction). Memory is what a fit adds to that of the matrix, beside the bytes of its arrays. Times are
CPU times of a whole fit of `ITERATIONS`, its transposing included, after a small one that compiles.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from technobench.cpu_pipeline.als import ImplicitALS
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.workload import Workload

ITERATIONS = 3


def expected_bytes(pairs: int, users: int, items: int, factors: int) -> int:
    """What a fit holds at most, beside the caller's matrix: its transpose, vectors, and those in other coordinates."""
    return 8 * pairs + factors * (8 * users + 16 * items)


def peak_bytes() -> int:
    """The peak resident set of this process since it was last set back."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


def measure(scale: float, factors: int) -> dict[str, float]:
    """Fit a scale of the dataset, here."""
    matrix = Workload(catalogue.get("planted", scale)).interactions().matrix
    ImplicitALS(factors, iterations=1).fit(matrix[:100])
    Path("/proc/self/clear_refs").write_text("5")  # the peak is from now on (proc(5))
    before, start = peak_bytes(), time.process_time()
    ImplicitALS(factors, iterations=ITERATIONS).fit(matrix)
    cpu, added = time.process_time() - start, peak_bytes() - before
    users, items = matrix.shape
    sizes = {"users": users, "items": items, "pairs": matrix.nnz}
    expected = expected_bytes(matrix.nnz, users, items, factors)
    return {**sizes, "cpu": cpu, "added": added, "expected": expected}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scales", type=float, nargs="+", default=[1, 4, 10, 40])
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--here", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        print(json.dumps(measure(given.here, given.factors)))
        return
    print("| users x items | interactions | CPU time an iteration | ns a pair | memory of the fit | by its arrays |")
    print("|---|---|---|---|---|---|")
    for scale in given.scales:
        command = [sys.executable, __file__, "--here", str(scale), "--factors", str(given.factors)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        each = found["cpu"] / ITERATIONS
        print(
            f"| {found['users']:,} x {found['items']:,} | {found['pairs']:,} | {each:.3g} s"
            f" | {1e9 * each / found['pairs']:.0f} | {found['added'] / 2**20:,.0f} MiB"
            f" | {found['expected'] / 2**20:,.0f} MiB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
