"""What each native engine is bound by on this machine, and how far it is from that bound; prints a Markdown table.

python tools/engine_bounds.py [--rounds 9] [--dataset seed] [--records 41776]

The engines run as they are, with a clock around each compiled loop that they call (tools/engine_work.py). A bound is
what one core can do of a part's main work (tools/micro_benchmarks.py); engines and bounds are measured in turn, round
by round. All times are processor time summed over the threads: a rate is that of one core while the others work too.
"""

import argparse
import importlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import process_time, thread_time
from typing import Any
from unittest import mock

import numpy as np
from engine_work import LOOPS, Loop, Spent
from micro_benchmarks import BOUNDS
from technobench.cpu_pipeline import features, matrix_build, predict, shap
from technobench.cpu_pipeline.kernels.threads import thread_count
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.stages.features import Features
from technobench.pipeline.stages.matrix_build import MatrixBuild
from technobench.pipeline.workload import Workload

REST = "the rest"

Run = Callable[[], Any]
"""An engine on its problem, set up."""


@dataclass
class Round:
    """One run of an engine, or the sum of its calls by part: processor seconds of all threads, and work by bound."""

    total: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    work: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))

    def add(self, spent: Spent) -> None:
        """Another call's seconds and work."""
        self.seconds[spent.part] += spent.seconds
        for bound, amount in spent.work.items():
            self.work[spent.part][bound] += amount

    def at_bounds(self, part: str, rates: Mapping[str, float]) -> float:
        """Seconds that the part's work would take at its bounds, one kind of work after the other."""
        return sum(amount / rates[bound] for bound, amount in self.work[part].items() if bound in rates)


def run_with_clocks(run: Run, loops: list[Loop]) -> Round:
    """One run of an engine, divided into parts."""
    calls: list[Spent] = []  # appended to by all threads
    counting: list[float] = []
    with _clocks(loops, calls, counting):
        start = process_time()
        run()
        total = process_time() - start - sum(counting)
    found = Round(total)
    for call in calls:
        found.add(call)
    found.seconds[REST] = total - sum(found.seconds.values())
    return found


@contextmanager
def _clocks(loops: list[Loop], calls: list[Spent], counting: list[float]) -> Iterator[None]:
    """Put a clock around each loop where the engines look it up; ``counting`` gets what the clocks themselves take."""
    with ExitStack() as stack:
        for loop in loops:
            module = importlib.import_module(loop.module)
            clock = _clock(loop, getattr(module, loop.name), calls, counting)
            stack.enter_context(mock.patch.object(module, loop.name, clock))
        yield


def _clock(loop: Loop, original: Callable, calls: list[Spent], counting: list[float]) -> Callable:
    signature = inspect.signature(getattr(original, "py_func", original))

    def clocked(*arguments: Any, **named: Any) -> Any:
        start = thread_time()
        result = original(*arguments, **named)
        seconds = thread_time() - start
        calls.extend(loop.spent(signature.bind(*arguments, **named).arguments, result, seconds))
        counting.append(thread_time() - start - seconds)
        return result

    return clocked


def engines(workload: Workload, records: int | None = None) -> dict[str, Run]:
    """The native engines, each on its stage's problem, or on its first records."""
    scoring = ScoringProblem.of(workload)
    stages = (MatrixBuild(), matrix_build.native), (Features(), features.native)
    runs: dict[str, Run] = {}
    for stage, native in stages:
        problem = stage.problem(workload)
        runs[stage.name] = native(problem if records is None else stage.prefix(problem, records)).run
    scoring = scoring if records is None else scoring.prefix(records)
    return {**runs, "predict": predict.native(scoring).run, "shap": shap.native(scoring).run}


def measured(runs: Mapping[str, Run], rounds: int) -> tuple[dict[str, list[Round]], list[dict[str, float]]]:
    """Rounds of each engine, and the bounds of each round; a first one of each, which compiles, is thrown away."""
    found: dict[str, list[Round]] = {name: [] for name in runs}
    rates = []
    for _ in range(1 + rounds):
        rates.append({name: measure() for name, measure in BOUNDS.items()})
        for name, run in runs.items():
            found[name].append(run_with_clocks(run, LOOPS[name]))
    return {name: of_engine[1:] for name, of_engine in found.items()}, rates[1:]


def table(found: Mapping[str, list[Round]], rates: list[dict[str, float]]) -> Iterator[str]:
    """The lines of the Markdown table."""
    yield "| engine | part | share of time | work | a core does, a second | a core can do | of that |"
    yield "|---|---|---|---|---|---|---|"
    for engine, of_engine in found.items():
        for part in of_engine[0].seconds:
            work = of_engine[0].work[part]
            held = [bound for bound in work if bound in BOUNDS]
            share = [one.seconds[part] / one.total for one in of_engine]
            of_bound = [
                one.at_bounds(part, rate) / one.seconds[part] for one, rate in zip(of_engine, rates, strict=True)
            ]
            cells = [
                f"`{engine}`",
                part,
                _percent(share),
                ", ".join(f"{_short(amount)} {bound}" for bound, amount in work.items()),
                ", ".join(_rate([one.work[part][bound] / one.seconds[part] for one in of_engine]) for bound in work),
                ", ".join(_rate([rate[bound] for rate in rates]) for bound in held),
                _percent(of_bound) if held else "",
            ]
            yield "| " + " | ".join(cells) + " |"


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def _rate(values: list[float]) -> str:
    """The median, and half of the distance between the quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{_short(middle)} ±{50 * (high - low) / middle:.0f} %"


def _percent(shares: list[float]) -> str:
    """The same of shares, in percent."""
    low, middle, high = np.percentile(shares, [25, 50, 75])
    return f"{100 * middle:.0f} % ±{50 * (high - low):.0f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dataset", default="seed")
    parser.add_argument("--records", type=int, help="only the first so many")
    chosen = parser.parse_args()
    runs = engines(Workload(catalogue.get(chosen.dataset)), chosen.records)
    found, rates = measured(runs, chosen.rounds)
    print(f"{thread_count()} threads, {chosen.rounds} rounds, medians ± half of the distance between the quartiles\n")
    print(*table(found, rates), "", sep="\n")
    for engine, of_engine in found.items():
        milliseconds = np.median([1000 * one.total for one in of_engine])
        print(f"- `{engine}`: {milliseconds:.0f} ms of processor time, all threads")
    for bound, measure in BOUNDS.items():
        print(f"- {bound}: {_rate([rate[bound] for rate in rates])} a second and core. {measure.__doc__}")


if __name__ == "__main__":
    main()
