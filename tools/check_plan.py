"""A plan checked against reality: fitted to small scales of the pipeline, it predicts a large one, which is measured.

    python tools/check_plan.py [--scales 0.5 1 2 4 8] [--ahead 24] [--variants native batched-sparse] [--rounds 3]

`technobench sweep` measures the small scales, time and peak memory of the large one are predicted from its rows and
printed, and then `technobench run` measures it. Exits with 1 where what was measured is outside of an interval, or more
than 15 % off. By default that takes about an hour on two cores, nearly all of it batched-sparse's; rows stay in
--results, and a second call goes on with them.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from technobench.bench import store
from technobench.bench.plan.curves import ROWS, curves, rows_of
from technobench.bench.plan.growth import growth
from technobench.bench.plan.memory_growth import memory_growth
from technobench.bench.plan.models import NotFitted, Prediction
from technobench.bench.table import duration, memory
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.row import Row, Status

DATASET, STAGE = "seed", "pipeline"
MOST_OFF = 0.15


def main() -> None:
    """Measure, predict, measure, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scales", type=float, nargs="+", default=[0.5, 1, 2, 4, 8])
    parser.add_argument("--ahead", type=float, default=24)
    parser.add_argument("--variants", nargs="+", default=["native", "batched-sparse"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=2000, help="seconds of a case; beyond it nothing is predicted")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("options", nargs="*", help="others of technobench run, after --")
    given = parser.parse_args()
    made_rows = catalogue.makers()[DATASET].rows
    assert made_rows is not None
    shared = ["--stage", STAGE, "--dataset", DATASET, "--rounds", str(given.rounds)]
    shared += ["--budget", f"{given.budget:g}", *(word for name in given.variants for word in ("--variant", name))]
    points = ",".join(str(round(made_rows * scale)) for scale in given.scales)
    small = measured(["sweep", *shared, "--axis", "rows", "--points", points, *given.options], given.results)
    ahead = round(made_rows * given.ahead)
    predicted = {name: predictions(small, name, ahead) for name in given.variants}
    for name, (seconds, peak) in predicted.items():
        print(f"{name}: {ahead:,} records are predicted to take {told(seconds, duration)}, {told(peak, as_memory)}")
    large = measured(["run", *shared, "--scale", f"{given.ahead:g}", *given.options], given.results)
    rows = {row.variant: row for row in large if row.status is Status.OK and rows_of(row) == ahead}
    well = [compared(name, *predicted[name], rows.get(name)) for name in given.variants]
    sys.exit(0 if all(well) else 1)


def measured(words: Sequence[str], results: Path) -> list[Row]:
    """The rows of a run of these words: a new one, or one of the same words that is there and is gone on with."""
    print(shlex.join(["technobench", *words]), flush=True)
    kept = {path: store.read(path)[0] for path in store.runs(results)}
    same = [path for path, rows in kept.items() if rows and is_of(rows[0].command, words)]
    again = [words[0], "--resume", same[0].stem] if same else list(words)
    start = [sys.executable, "-c", "from technobench.bench.cli import main; main()"]
    done = subprocess.run([*start, *again, "--results", str(results)])
    if done.returncode:
        sys.exit(done.returncode)
    return store.read(same[0] if same else next(store.runs(results)))[0]


def is_of(command: str, words: Sequence[str]) -> bool:
    """Whether a row's command has these words; it has them in an order of its own."""
    return sorted(shlex.split(command)[1:]) == sorted(words)


def predictions(rows: Sequence[Row], variant: str, ahead: float) -> tuple[Prediction, Prediction]:
    """Seconds and peak bytes; ends the program where the rows do not give them."""
    found = [curve for curve in curves(rows) if curve.axis == ROWS and curve.variant == variant]
    if len(found) != 1:
        sys.exit(f"{variant}: the sweep has no right answers at several sizes on one class of host")
    seconds, peak = growth(found[0]), memory_growth(found[0])
    if isinstance(seconds, NotFitted) or isinstance(peak, NotFitted):
        sys.exit(f"{variant}: {'; '.join(each.reason for each in (seconds, peak) if isinstance(each, NotFitted))}")
    return seconds.at(ahead), peak.at(ahead)


def told(prediction: Prediction, written: Callable[[float], str]) -> str:
    """A prediction in words."""
    careful = f", {prediction.caution}" if prediction.caution else ""
    return f"{written(prediction.value)} ({written(prediction.low)} to {written(prediction.high)}{careful})"


def compared(variant: str, seconds: Prediction, peak: Prediction, row: Row | None) -> bool:
    """Whether both were predicted well; prints how well."""
    if row is None or not row.seconds or row.peak_bytes is None:
        print(f"{variant}: not measured, or no right answer")
        return False
    well = True
    both = ((seconds, statistics.median(row.seconds), duration), (peak, row.peak_bytes, as_memory))
    for predicted, value, written in both:
        off, inside = predicted.value / value - 1, predicted.low <= value <= predicted.high
        good = inside and abs(off) <= MOST_OFF
        where = "within the interval" if inside else "OUTSIDE of the interval"
        print(f"{variant}: {written(value)}, predicted {told(predicted, written)}: {100 * off:+.1f} %, {where}")
        well = well and good
    return well


def as_memory(count: float) -> str:
    """Bytes in MiB."""
    return memory(round(count))


if __name__ == "__main__":
    main()
