"""The talk's table of rating models on MovieLens 1M, with what was measured here beside it: pure functions of rows.

Talk: Kotian, Zagardo, Gautam, Siga, Mason, "Productionizing a recommendation system for a large scale use", 17-645
Machine Learning in Production, Carnegie Mellon University, fall 2022, slide "Model Design Challenges".
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from ..pipeline.row import Row, Status
from .table import duration, times

NATIVE, SURPRISE = "native", "naive"
"""The variants of the stage `ratings` that the table shows; `naive` is Surprise itself."""


@dataclass(frozen=True)
class Told:
    """The talk's figures: errors in stars, and the time of a cross-validation as hours, minutes and seconds."""

    rmse: float
    mae: float
    time: str


TALK = {
    "svd": Told(0.873, 0.686, "0:01:07"),
    "svdpp": Told(0.862, 0.672, "0:41:06"),
    "svdpp-cached": Told(0.862, 0.672, "0:34:55"),
    "nmf": Told(0.916, 0.723, "0:01:39"),
    "slope-one": Told(0.907, 0.715, "0:02:31"),
    "knn-basic": Told(0.923, 0.727, "0:05:27"),
}
TALKS_DATASET, SYNTHETIC = "ml-1m", "planted-ratings"

TITLES = {
    "svd": "SVD",
    "svdpp": "SVD++ (cache_ratings=False)",
    "svdpp-cached": "SVD++ (cache_ratings=True)",
    "nmf": "NMF",
    "slope-one": "Slope One",
    "knn-basic": "k-NN",
    "knn-means": "k-NN, centred",
    "knn-z-score": "k-NN, z-scores",
    "knn-baseline": "k-NN, baseline",
    "baseline-als": "Baseline, ALS",
    "baseline-sgd": "Baseline, SGD",
    "random": "Random",
}
"""The models of the table by their names in the stage, in the talk's order and words; the talk has the first six."""


@dataclass(frozen=True)
class Measured:
    """What a variant did with one model. Seconds are of wall time but for ``cpu_seconds``; None is not measured.

    folds: that were estimated, which times and errors are of. estimated: the time is extrapolated.
    """

    rmse: float | None
    mae: float | None
    fit_seconds: float | None
    predict_seconds: float | None
    seconds: float | None
    cpu_seconds: float | None
    folds: int
    estimated: bool
    status: Status
    reason: str | None

    @classmethod
    def of(cls, row: Row) -> "Measured":
        """What the row says."""
        quality, phases, fitted = row.quality or {}, row.phases or {}, row.extrapolation
        seconds = fitted.seconds if fitted else statistics.median(row.seconds) if row.seconds else None
        return cls(
            rmse=quality.get("rmse"),
            mae=quality.get("mae"),
            fit_seconds=phases.get("fit"),
            predict_seconds=phases.get("predict"),
            seconds=seconds,
            cpu_seconds=statistics.median(row.cpu_seconds) if row.cpu_seconds else None,
            folds=int(row.parameters.get("judged_folds") or row.parameters["folds"]),
            estimated=fitted is not None,
            status=row.status,
            reason=row.reason,
        )


@dataclass(frozen=True)
class Line:
    """One model: the talk's figures, ours and Surprise's on this machine, each None where there is none."""

    model: str
    told: Told | None
    native: Measured | None
    surprise: Measured | None

    @property
    def ratio(self) -> float | None:
        """CPU time per fold of Surprise over that of native; None unless both were measured and right."""
        both = (self.surprise, self.native)
        each = [found.cpu_seconds / found.folds for found in both if found and found.cpu_seconds]
        right = all(found and found.status is Status.OK for found in both)
        return each[0] / each[1] if right and len(each) == 2 else None


def by_dataset(rows: Sequence[Row]) -> Iterator[tuple[str, list[Line]]]:
    """The datasets that rows of the stage `ratings` have, with the models measured on each in the talk's order."""
    rows = [row for row in rows if row.stage == "ratings"]
    for dataset in dict.fromkeys(row.dataset for row in rows):
        found = {(row.parameters["model"], row.variant): Measured.of(row) for row in rows if row.dataset == dataset}
        lines = [
            Line(model, TALK.get(model), found.get((model, NATIVE)), found.get((model, SURPRISE))) for model in TITLES
        ]
        yield dataset, [line for line in lines if line.native or line.surprise]


def notes(dataset: str, lines: Sequence[Line]) -> list[str]:
    """What a reader must know before comparing the columns."""
    said = []
    if dataset == SYNTHETIC:
        said.append("Synthetic ratings: the errors are not to be compared with the talk's, only the times.")
    elif dataset != TALKS_DATASET:
        said.append(f"The talk's figures are of MovieLens 1M, these of {dataset}: not to be compared.")
    said.append("The talk's times are of another machine. Native: all folds, on threads, and time is wall time.")
    if _has_surprise(lines):
        said.append("Surprise's time is of the folds told; the ratio is of CPU time per fold. ~: an estimate.")
    else:
        reason = next((line.surprise.reason for line in lines if line.surprise), None)
        said.append(f"Surprise is left out: {reason or '--surprise runs it, too'}.")
    for line in lines:
        for name, found in ((NATIVE, line.native), ("Surprise", line.surprise)):
            if found and found.reason and (found.seconds is not None or name == NATIVE):
                said.append(f"{TITLES[line.model]}, {name}: {found.status.value}: {found.reason}.")
    return said


def cells(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """Headings, and a row of text for each model; Surprise's columns only where it was measured."""
    headings = ["model", *("talk RMSE", "MAE", "time"), *("native RMSE", "MAE", "fit", "predict", "time", "answer")]
    surprise = _has_surprise(lines)
    if surprise:
        headings += ["Surprise RMSE", "MAE", "time", "folds", "CPU, Surprise/native"]
    table = []
    for line in lines:
        told = [f"{line.told.rmse:.3f}", f"{line.told.mae:.3f}", line.told.time] if line.told else ["-"] * 3
        text = [TITLES[line.model], *told, *_native(line.native)]
        if surprise:
            text += [*_surprise(line.surprise), "-" if line.ratio is None else f"~{times(line.ratio)}"]
        table.append(text)
    return headings, table


def as_markdown(lines: Sequence[Line]) -> str:
    """A table in GitHub's Markdown."""
    headings, table = cells(lines)
    rule = ["---"] + ["---:"] * (len(headings) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, rule, *table))


def as_rich(dataset: str, lines: Sequence[Line]) -> Table:
    """A table for a terminal."""
    headings, rows = cells(lines)
    table = Table(title=dataset, title_style="bold", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(
            heading.replace(" ", "\n"), vertical="bottom", justify="right" if place else "left", no_wrap=True
        )
    for row in rows:
        table.add_row(*row)
    return table


def _has_surprise(lines: Sequence[Line]) -> bool:
    return any(line.surprise and line.surprise.seconds is not None for line in lines)


def _stars(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _time(value: float | None, estimated: bool = False) -> str:
    return "-" if value is None else ("~" if estimated else "") + duration(value)


def _native(found: Measured | None) -> list[str]:
    if found is None:
        return ["-"] * 6
    spent = (_time(found.fit_seconds), _time(found.predict_seconds), _time(found.seconds, found.estimated))
    return [_stars(found.rmse), _stars(found.mae), *spent, found.status.value]


def _surprise(found: Measured | None) -> list[str]:
    if found is None:
        return ["-"] * 4
    return [_stars(found.rmse), _stars(found.mae), _time(found.seconds, found.estimated), str(found.folds)]
