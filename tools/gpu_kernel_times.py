"""How long each CUDA kernel of our own takes on the device at hand.

    python tools/gpu_kernel_times.py [--dataset seed] [--trees 500] [--depth 6] [--iterations 15] [--rounds 7]
        [-k "als or shap"] [--write]

Each launch is timed by CUDA events and waited for; the launches of a kernel in one run are added up, and a line is the
median of the rounds. The whole run beside it is timed without events. What the device moves a second is measured by a
copy within it. --write puts the table into docs/gpu-kernels.md.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import cupy
from gpu_kernels import PAGE, written
from technobench.bench.cases import matches
from technobench.pipeline import registry
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.row import Status
from technobench.pipeline.workload import Workload

BEGIN = "<!-- times: python tools/gpu_kernel_times.py --write -->\n"
END = "<!-- end of the times -->\n"
COPIED_BYTES = 2 << 30
VARIANTS = (
    ("predict", "native-cuda"),
    ("shap", "native-cuda"),
    ("recommend", "native-cuda"),
    ("als", "native-cuda"),
    ("als", "native-cuda-exact"),
    ("als", "native-cuda-cholesky"),
)


class TimedModule:
    """Stands in for `cupy.RawModule`: puts what its kernels take, launch by launch, into ``taken``, in milliseconds."""

    compiled: Any = cupy.RawModule
    taken: defaultdict[str, list[float]] | None = None

    def __init__(self, **source: Any) -> None:
        self._module = TimedModule.compiled(**source)

    def get_function(self, name: str) -> Any:
        """The kernel, timed while ``taken`` is there."""
        kernel = self._module.get_function(name)

        def launch(*arguments: Any, **named: Any) -> None:
            if TimedModule.taken is None:
                kernel(*arguments, **named)
                return
            start, end = cupy.cuda.Event(), cupy.cuda.Event()
            start.record()
            kernel(*arguments, **named)
            end.record()
            end.synchronize()
            TimedModule.taken[name].append(cupy.cuda.get_elapsed_time(start, end))

        return launch


def copied_a_second(rounds: int) -> float:
    """Bytes that the device reads and writes a second in a copy within its memory."""
    source = cupy.random.random(COPIED_BYTES // 8)
    target = cupy.empty_like(source)
    taken = []
    for _ in range(rounds + 1):
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        cupy.copyto(target, source)
        end.record()
        end.synchronize()
        taken.append(1e-3 * cupy.cuda.get_elapsed_time(start, end))
    return 2 * COPIED_BYTES / statistics.median(taken[1:])


def lines_of(stage: str, name: str, workload: Workload, rounds: int) -> Iterator[str]:
    """The table's lines for a variant, whose answer is checked.

    Raises:
        SystemExit: the answer is wrong.

    """
    owner = registry.stages()[stage]
    problem = owner.problem(workload)
    prepared = registry.variants()[stage, name].prepare(problem)
    prepared.run()  # compiles
    prepared.sync()
    whole = []
    for _ in range(rounds):
        start = time.perf_counter()
        prepared.run()
        prepared.sync()
        whole.append(1e3 * (time.perf_counter() - start))
    launches: defaultdict[str, list[list[float]]] = defaultdict(list)
    for _ in range(rounds):
        TimedModule.taken = defaultdict(list)
        answer = prepared.run()
        prepared.sync()
        for kernel, taken in TimedModule.taken.items():
            launches[kernel].append(taken)
        TimedModule.taken = None
    answer = prepared.fetch(answer)
    error = owner.error(problem, answer, owner.reference(problem))
    if not error <= owner.tolerance:
        raise SystemExit(f"{stage}/{name}: {Status.MISMATCH}, error {error:.3g}, tolerance {owner.tolerance:.3g}")
    for kernel, taken in launches.items():
        sums = [sum(each) for each in taken]
        run = f"{statistics.median(whole):.3f}"
        yield f"| {stage}/{name} | `{kernel}` | {len(taken[0])} | {statistics.median(sums):.3f} | {run} |"


def page(workload: Workload, rounds: int, expression: str) -> Iterator[str]:
    """What was measured, where, and the table."""
    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    moved = copied_a_second(rounds)
    yield f"{device}, which moves {moved / 1e9:,.0f} GB/s in a copy within its memory; medians of {rounds} rounds:"
    yield ""
    yield "| variant | kernel | launches a run | of the kernel, ms | whole run, ms |"
    yield "|---|---|---|---|---|"
    for stage, name in VARIANTS:
        if matches(expression, f"{stage}/{name}"):
            yield from lines_of(stage, name, workload, rounds)


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="seed")
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--iterations", type=int, default=15, help="of ALS")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-k", default="native", metavar="EXPR", help="stage/variant to time, as technobench run -k")
    parser.add_argument("--write", action="store_true", help="into docs/gpu-kernels.md")
    chosen = parser.parse_args()
    cupy.RawModule = TimedModule
    parameters = {name: getattr(chosen, name) for name in ("trees", "depth", "iterations")}
    lines = page(Workload(catalogue.get(chosen.dataset, 1.0), parameters), chosen.rounds, chosen.k)
    if chosen.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), lines, BEGIN, END), encoding="utf-8")
    else:
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
