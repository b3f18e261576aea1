"""Native explanations and scores against XGBoost: whole, deeper, in small batches, by rows, by trees, one record.

python tools/native_bars.py [--rounds 3] [--records 41776] [--xgboost PYTHON ...] [--only full,depth-8,batches,...]

Prints Markdown tables. ``--xgboost`` names an interpreter whose environment has another XGBoost (numpy, scipy and
xgboost are all that it needs): it is measured in turn with the one installed here, round by round, on as many threads.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np
import scipy.sparse as sp

FULL_RECORDS = 41_776
BATCHES = (1, 10, 100, 1000)
COPIES = (1, 2, 4, 8, 16, 24)
MOST_TREES = 1000
RECORDS_ONE_BY_ONE = 400


def serve(folder: Path, threads: int) -> None:
    """In the other interpreter: explain the matrix in ``folder`` once for each line read, and print the seconds."""
    import xgboost

    matrix = sp.load_npz(folder / "matrix.npz")
    booster = xgboost.Booster(model_file=str(folder / "model.ubj"))
    booster.set_param({"nthread": threads})
    print(xgboost.__version__, flush=True)
    for _ in sys.stdin:
        print(seconds_of_xgboost(booster, matrix), flush=True)


def seconds_of_xgboost(booster: "object", matrix: sp.csr_matrix) -> float:
    """One call of `pred_contribs`, its DMatrix included."""
    import xgboost

    start = time.perf_counter()
    booster.predict(xgboost.DMatrix(matrix), pred_contribs=True, validate_features=False)
    return time.perf_counter() - start


class OtherXGBoost:
    """`serve` in an interpreter of its own."""

    def __init__(self, python: str, folder: Path, threads: int, stack: ExitStack) -> None:
        command = [python, __file__, "--serve", str(folder), str(threads)]
        self._process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        self.name = f"XGBoost {self._line()}"

    def __call__(self) -> float:
        """Seconds of one run."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit("the other interpreter ended; has it numpy, scipy and xgboost?")
        return line


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    for line in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(line) + " |", flush=True)


def ratio(above: Sequence[float], below: Sequence[float]) -> str:
    """The median of the ratios round by round, and their range."""
    ratios = [one / other for one, other in zip(above, below, strict=True)]
    return f"{median(ratios):.3g}x ({min(ratios):.3g} to {max(ratios):.3g})"


def whole(title: str, matrix: sp.csr_matrix, model: bytes, pythons: Sequence[str], rounds: int) -> None:
    """Every XGBoost and the native engine in turn."""
    import xgboost
    from technobench.cpu_pipeline.kernels.threads import thread_count
    from technobench.cpu_pipeline.shap import TreeShap

    booster = xgboost.Booster(model_file=bytearray(model))
    booster.set_param({"nthread": thread_count()})
    start = time.perf_counter()
    explainer = TreeShap.from_booster(booster)
    set_up = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        sp.save_npz(folder / "matrix.npz", matrix, compressed=False)
        (folder / "model.ubj").write_bytes(model)
        runs: dict[str, Callable[[], float]] = {
            f"XGBoost {xgboost.__version__}": lambda: seconds_of_xgboost(booster, matrix)
        }
        for python in pythons:
            other = OtherXGBoost(python, folder, thread_count(), stack)
            runs[other.name] = other
        seconds: dict[str, list[float]] = {name: [] for name in ("csr", "compact", *runs)}
        explainer.shap_values(matrix)
        for _ in range(rounds):
            for form in ("csr", "compact"):
                seconds[form].append(seconds_of(lambda form=form: explainer.shap_values(matrix, output=form)))
            for run_name, run in runs.items():
                seconds[run_name].append(run())
    rows = [
        [name, f"{median(seconds[name]):.2f} s", ratio(seconds[name], seconds["csr"]),
         ratio(seconds[name], seconds["compact"])]
        for name in runs
    ]  # fmt: skip
    rows += [[f"native, {form}", f"{median(seconds[form]) * 1e3:.0f} ms", "", ""] for form in ("csr", "compact")]
    table(
        f"{title}: {matrix.shape[0]:,} records, set-up {set_up:.2f} s, {rounds} rounds in turn",
        ["", "median", "over native, csr", "over native, compact"],
        rows,
    )


def batches(matrix: sp.csr_matrix, model: bytes) -> None:
    """A few rows at a time, after set-up."""
    import xgboost
    from technobench.cpu_pipeline.kernels.threads import thread_count
    from technobench.cpu_pipeline.shap import TreeShap

    booster = xgboost.Booster(model_file=bytearray(model))
    booster.set_param({"nthread": thread_count()})
    explainer = TreeShap.from_booster(booster)
    rows = []
    for size in BATCHES:
        part = matrix[:size]
        ours, theirs = [], []
        for _ in range(9):
            ours.append(seconds_of(lambda part=part: explainer.shap_values(part)))
            theirs.append(seconds_of_xgboost(booster, part))
        rows.append(
            [f"{size:,}", f"{median(theirs) * 1e3:.2f} ms", f"{median(ours) * 1e3:.2f} ms", ratio(theirs, ours)]
        )
    table("Small batches, 9 rounds in turn", ["records", "XGBoost", "native", "ratio"], rows)


def by_rows(matrix: sp.csr_matrix, model: bytes) -> None:
    """The matrix stacked upon itself: the ten largest contributions of each record, streamed."""
    import xgboost
    from technobench.cpu_pipeline.shap import TreeShap

    explainer = TreeShap.from_booster(xgboost.Booster(model_file=bytearray(model)))
    sizes, spent, rows = [], [], []
    for copies in COPIES:
        stacked = sp.csr_matrix(sp.vstack([matrix] * copies, format="csr"))
        seconds = median(seconds_of(lambda stacked=stacked: explainer.top_contributions(stacked, 10)) for _ in range(3))
        sizes.append(stacked.shape[0])
        spent.append(seconds)
        rows.append([f"{stacked.shape[0]:,}", f"{seconds:.2f} s", f"{seconds / stacked.shape[0] * 1e6:.2f} µs"])
    slope = np.polyfit(np.log(sizes), np.log(spent), 1)[0]
    table(f"By records: time ~ records^{slope:.2f}", ["records", "top 10 of each", "per record"], rows)


def by_trees(matrix: sp.csr_matrix, model: bytes, trees: int) -> None:
    """The first rounds of a larger model."""
    import xgboost
    from technobench.cpu_pipeline.shap import TreeShap

    booster = xgboost.Booster(model_file=bytearray(model))
    sizes = [trees // 8, trees // 4, trees // 2, trees]
    spent, rows = [], []
    for size in sizes:
        explainer = TreeShap.from_booster(booster, (0, size))
        explainer.shap_values(matrix)
        seconds = median(seconds_of(lambda e=explainer: e.shap_values(matrix, output="compact")) for _ in range(5))
        spent.append(seconds)
        rows.append([f"{size:,}", f"{seconds * 1e3:.0f} ms", f"{seconds / size * 1e6:.0f} µs"])
    slope = np.polyfit(np.log(sizes), np.log(spent), 1)[0]
    table(f"By trees: time ~ trees^{slope:.2f}", ["trees", "all records", "per tree"], rows)


def one_record(matrix: sp.csr_matrix, model: bytes) -> None:
    """The latency of one record: its score, and the columns of its technologies."""
    import xgboost
    from technobench.cpu_pipeline.kernels.threads import thread_count
    from technobench.cpu_pipeline.predict import Forest
    from technobench.cpu_pipeline.technology_matrix import TechnologyEncoder
    from technobench.pipeline.datasets import catalogue
    from technobench.pipeline.scoring import dense_rows
    from technobench.pipeline.workload import Workload

    booster = xgboost.Booster(model_file=bytearray(model))
    booster.set_param({"nthread": thread_count()})
    forest = Forest.from_booster(booster)
    records = [matrix[record] for record in range(RECORDS_ONE_BY_ONE)]
    dense = [dense_rows(record) for record in records]
    rows = []
    for form, each in (("CSR row", records), ("dense row", dense)):
        ours, theirs = [], []
        for _ in range(9):
            ours.append(mean_seconds(forest.predict, each))
            theirs.append(mean_seconds(lambda row: booster.inplace_predict(row, predict_type="margin"), each))
        rows.append([f"score of a {form}", f"{median(theirs) * 1e6:.1f} µs", f"{median(ours) * 1e6:.1f} µs",
                     ratio(theirs, ours)])  # fmt: skip
    workload = Workload(catalogue.get("seed"))
    encoder = TechnologyEncoder(workload.technologies().names, workload.dataset.delimiter)
    cells = workload.cells()[:RECORDS_ONE_BY_ONE]
    spent = median(mean_seconds(encoder.columns_of, cells) for _ in range(9))
    rows.append(["columns of a cell of technologies", "", f"{spent * 1e6:.1f} µs", ""])
    table("One record at a time, 9 rounds in turn", ["", "XGBoost", "native", "ratio"], rows)


def mean_seconds(call: Callable[..., object], each: Sequence[object]) -> float:
    """Mean wall time of a call, over one call for each argument."""
    start = time.perf_counter()
    for argument in each:
        call(argument)
    return (time.perf_counter() - start) / len(each)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=FULL_RECORDS, help="first so many of the seed dataset")
    parser.add_argument("--xgboost", action="append", default=[], metavar="PYTHON")
    parser.add_argument("--only", default="full,depth-8,batches,rows,trees,one-record")
    arguments = parser.parse_args()
    from technobench.pipeline.datasets import catalogue
    from technobench.pipeline.scoring import ScoringProblem
    from technobench.pipeline.workload import Workload

    def problem(**parameters: int) -> tuple[sp.csr_matrix, bytes]:
        made = ScoringProblem.of(Workload(catalogue.get("seed"), parameters))
        return made.matrix[: arguments.records], made.model

    only = set(arguments.only.split(","))
    if "full" in only:
        whole("500 trees of depth 6", *problem(), arguments.xgboost, arguments.rounds)
    if "depth-8" in only:
        whole("300 trees of depth 8", *problem(trees=300, depth=8), arguments.xgboost, arguments.rounds)
    if "batches" in only:
        batches(*problem())
    if "rows" in only:
        by_rows(*problem())
    if "trees" in only:
        by_trees(*problem(trees=MOST_TREES), MOST_TREES)
    if "one-record" in only:
        one_record(*problem())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
