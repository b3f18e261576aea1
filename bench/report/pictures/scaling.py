"""Time against size, or records per second against threads: what was measured, and the fitted models with bands."""

import itertools
import math
from collections.abc import Iterator, Sequence

from ...plan.curves import Curve, Point
from ...plan.models import Model, NotFitted, Prediction
from ...statistics import Interval, median_interval
from ...table import BATCHED, NAIVE, duration, spread
from .. import svg
from ..document import Cell, Column, Picture
from ..hosts import short_name
from .measured import ON_DEVICE, in_order, round_duration, table_of, told

_LEFT, _RIGHT, _TOP, _PLOT, _BOTTOM = 62, 260, 60, 230, 48
_LABEL = 17
_SAMPLES = 48
"""Sizes that a model is drawn through."""
_BEYOND = 0.25
"""How far models are drawn beyond the points: this part of the points' range, in logarithms, or `_LEAST_BEYOND`."""
_LEAST_BEYOND = math.log(2.5)
_FEW = 6
"""So many values of a parameter, or of threads, are ticks themselves."""
_OWN_HUES = {"native": 0, BATCHED: 1, NAIVE: svg.HUES - 1}
"""Hues of variants that most pictures have."""

Fitted = tuple[Curve, Model | NotFitted]
"""A curve with its model. Along ``threads`` the model's values are records per second, else seconds."""


def scaling(fitted: Sequence[Fitted]) -> list[Picture]:
    """A picture per stage, dataset, axis and parameters: a line per variant on scales of logarithms.

    Points are medians of rounds with their 95 % intervals, bands the models' 95 % prediction intervals; both are dashed
    where the model says that its support ends. A curve without a finite positive time is left out.
    """
    charts: dict[tuple, list[_Line]] = {}
    for curve, model in fitted:
        line = _Line(curve, model)
        if line.points:
            chosen = tuple(sorted((name, str(value)) for name, value in curve.parameters.items()))
            charts.setdefault((curve.stage, curve.dataset, curve.axis, chosen), []).append(line)
    made = []
    for key, lines in charts.items():
        alike = [other[3] for other in charts if other[:3] == key[:3]]
        made.append(_picture(lines, _differing(alike, key[3])))
    return made


def _differing(every: Sequence[tuple], chosen: tuple) -> str:
    """``name=value`` of the parameters that other charts have otherwise."""
    return " ".join(f"{name}={value}" for name, value in chosen if any((name, value) not in other for other in every))


class _Line:
    """One curve: what was measured at each point, and what the model says."""

    def __init__(self, curve: Curve, model: Model | NotFitted) -> None:
        self.curve = curve
        self.model = None if isinstance(model, NotFitted) else model
        self.why_not = model.reason if isinstance(model, NotFitted) else ""
        measured = [(point.at, _measured(curve, point)) for point in curve.points]
        self.points = [(at, found) for at, found in measured if found is not None]
        self.name = curve.variant
        self.samples: list[tuple[float, Prediction]] = []

    def sample(self, sizes: Sequence[float]) -> None:
        """Ask the model at sizes from its smallest point on; what is no positive number is passed over."""
        if self.model is None:
            return
        asked = [(size, self.model.at(size)) for size in sizes if size >= self.model.smallest]
        self.samples = [(size, found) for size, found in asked if _drawable(found)]

    def cells(self, at: float, found: Interval) -> tuple[Cell, ...]:
        """A point's line of the table."""
        predicted = self.model.at(at) if self.model else None
        fit = predicted if predicted is not None and _drawable(predicted) else None
        band = f"{self.value(fit.low)} to {self.value(fit.high)}" if fit else "-"
        return (
            Cell(self.name),
            Cell(self.curve.device),
            Cell(_short(at), at),
            Cell(self.value(found.median) + spread(found), found.median),
            Cell(self.value(fit.value) if fit else "-", fit.value if fit else None),
            Cell(band),
        )

    def value(self, value: float) -> str:
        """A value of the vertical axis in words."""
        return _short(value) if self.curve.axis == "threads" else duration(value)

    def said(self) -> str:
        """What the model comes to."""
        if self.model is None:
            return f"{self.name}: no model, {self.why_not}"
        power, name = self.model.exponent, self.curve.axis
        words = f"{self.name}: at the largest point as {name}^{power.value:.2f} ({power.low:.2f} to {power.high:.2f})"
        for held in self.model.held_out:
            predicted = held.predicted
            words += (
                f"; at {_short(held.at)}, fitted without it, {self.value(predicted.value)} "
                f"({self.value(predicted.low)} to {self.value(predicted.high)}), measured {self.value(held.measured)}"
            )
        return words


def _measured(curve: Curve, point: Point) -> Interval | None:
    """Median with interval of seconds, or for an axis of threads of records per second."""
    seconds = [each for each in point.seconds if 0 < each < math.inf]
    if not seconds or not math.isfinite(point.at):
        return None
    if curve.axis == "threads":
        return median_interval([point.sizes.get("records", 1) / each for each in seconds])
    return median_interval(seconds)


def _drawable(found: Prediction) -> bool:
    return all(math.isfinite(value) for value in (found.value, found.low, found.high)) and found.value > 0


def _name_lines(lines: Sequence[_Line]) -> None:
    """Names that tell lines apart: the variant, and of several of one what they differ in."""
    for line in lines:
        same = [other.curve for other in lines if other.curve.variant == line.curve.variant]
        if len({curve.threads for curve in same}) > 1:
            line.name += f" {line.curve.threads} threads"
        if name := short_name(line.curve.host, [curve.host for curve in same]):
            line.name += f" {name}"
    for name, alike in itertools.groupby(sorted(lines, key=lambda line: line.name), key=lambda line: line.name):
        several = list(alike)
        for number, line in enumerate(several if len(several) > 1 else [], start=1):
            line.name = f"{name} ({number})"


def _picture(lines: list[_Line], chosen: str) -> Picture:
    order = in_order([line.curve.variant for line in lines])
    lines.sort(key=lambda line: order.index(line.curve.variant))
    _name_lines(lines)
    chart = _Chart(lines)
    first = lines[0].curve
    threads = first.axis == "threads"
    what = "records/s against threads" if threads else f"time against {first.axis}"
    alike = first.threads is not None and len({line.curve.threads for line in lines}) == 1
    where = ", ".join(filter(None, [first.dataset, chosen, f"{first.threads} threads" if alike else ""]))
    title = f"{first.stage}: {what}"
    told_of = (
        f"{title}, {where}, both on scales of logarithms. Points are medians with 95 % intervals, bands are the "
        f"models' 95 % prediction intervals, dashed where the support of the fit ends; {ON_DEVICE}."
    )
    columns = (
        Column("line"),
        Column("device"),
        Column(first.axis, numeric=True),
        Column("measured", "records/s" if threads else "s", numeric=True),
        Column("model", "records/s" if threads else "s", numeric=True),
        Column("its 95 %"),
    )
    parts = [
        svg.text("title", 12, 24, title, svg.NARROW - 24, svg.TITLE),
        svg.text("small quiet", 12, 42, where, svg.NARROW - 24, svg.SMALL),
        *chart.axes(),
        *itertools.chain.from_iterable(chart.line(line, columns) for line in lines),
        *chart.names(),
    ]
    cells = [line.cells(at, found) for line in lines for at, found in line.points]
    name = " ".join(filter(None, ["scaling", first.stage, first.axis, first.dataset, chosen]))
    table = table_of(name, f"{title}, {where}", columns, cells, [line.said() for line in lines])
    return Picture(svg.document(title, told_of, svg.NARROW, chart.height, parts), told_of, table)


class _Chart:
    """Where points and models lie; it is higher where many names stand beside it."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self.lines = lines
        places = [at for line in lines for at, _ in line.points]
        low, high = min(places), max(places)
        if low > 0:
            beyond = max(_BEYOND * (math.log(high) - math.log(low)), _LEAST_BEYOND)
            high = min(high * math.exp(beyond), 1e300)
            step = (math.log(high) - math.log(low)) / (_SAMPLES - 1)
            sizes = [low * math.exp(step * number) for number in range(_SAMPLES)]
        else:
            high += _BEYOND * (high - low)
            sizes = [low + (high - low) * number / (_SAMPLES - 1) for number in range(_SAMPLES)]
        for line in lines:
            line.sample(sizes)
        self.floor = _TOP + max(_PLOT, _LABEL * len(lines))
        self.height = self.floor + _BOTTOM
        values = [end for line in lines for _, found in line.points for end in found.ends]
        values += [found.value for line in lines for _, found in line.samples]
        within = [found for line in lines for _, found in line.samples if found.caution is None]
        values += [end for found in within for end in (found.low, found.high) if end > 0]
        self.x = svg.scale([low, high], _LEFT, _RIGHT)
        self.y = svg.scale(values, self.floor, _TOP)
        self.hues, self.kinds = self._looks()

    def _looks(self) -> tuple[dict[str, str], dict[str, str]]:
        """Hue and kind of marker by name: some variants have a hue of their own, the others take the rest from the top.

        So lines that end beside each other differ, and where the hues are used up markers are hollow.
        """
        hues = {line.name: f"hue{_OWN_HUES[line.curve.variant]}" for line in self.lines if _own(line)}
        others = sorted((line for line in self.lines if not _own(line)), key=lambda line: self._end(line)[1])
        free = [place for place in range(svg.HUES) if place not in _OWN_HUES.values()]
        for number, line in enumerate(others):
            hues[line.name] = f"hue{free[number % len(free)]}"
        again = {line.name for line in others[len(free) :]}
        return hues, {line.name: "hollow" if line.name in again else "fill" for line in self.lines}

    def axes(self) -> Iterator[str]:
        """Ticks and their values; both axes are named."""
        measured = sorted({at for line in self.lines for at, _ in line.points})
        for at in measured if len(measured) <= _FEW and self.lines[0].curve.axis != "rows" else self.x.ticks():
            x = self.x(at)
            yield svg.line("grid", x, _TOP, x, self.floor)
            yield svg.text("small quiet middle", x, self.floor + 18, _short(at))
        for value in self.y.ticks():
            y = self.y(value)
            yield svg.line("grid", _LEFT, y, _RIGHT, y)
            words = _short(value) if self.lines[0].curve.axis == "threads" else round_duration(value)
            yield svg.text("small quiet end number", _LEFT - 8, y + 4, words)
        yield svg.text("small quiet end", _RIGHT, self.floor + 36, self.lines[0].curve.axis)

    def line(self, line: _Line, columns: Sequence[Column]) -> Iterator[str]:
        """A model with its band, and the points on it."""
        parts = [] if line.samples else [svg.path("thin", [(self.x(at), self.y(f.median)) for at, f in line.points])]
        runs = itertools.groupby(line.samples, key=lambda sample: sample[1].caution is not None)
        last: list[tuple[float, Prediction]] = []
        for beyond, samples in runs:
            run = [*last, *samples]  # from where the last one ended
            last = run[-1:]
            parts += self._model(run, beyond)
        yield f'<g class="{self.hues[line.name]}">{svg.group(line.said(), *parts)}'
        for at, found in line.points:
            x = self.x(at)
            marks = [svg.marker(self.kinds[line.name], line.curve.device, x, self.y(found.median), 3.5)]
            if found.low is not None and found.high is not None:
                marks.append(svg.line("whisker", x, self.y(found.low), x, self.y(found.high)))
            yield svg.group(told(columns, line.cells(at, found)), *marks)
        yield "</g>"

    def _model(self, run: Sequence[tuple[float, Prediction]], beyond: bool) -> Iterator[str]:
        lower, middle, upper = (
            [(self.x(size), self.y(getattr(found, end))) for size, found in run] for end in ("low", "value", "high")
        )
        if beyond:
            for kind, edge in (("thin", lower), ("thin", upper), ("line", middle)):
                inside = [(x, y) for x, y in edge if _TOP < y < self.floor]
                yield svg.path(f"{kind} beyond", inside) if inside else ""
        else:
            yield svg.path("band", [*lower, *reversed(upper)], closed=True) + svg.path("line", middle)

    def names(self) -> Iterator[str]:
        """The variants' names beside the ends of their lines, moved apart, with a line to where they were."""
        ends = [self._end(line) for line in self.lines]
        places = svg.spread_out([y for _, y in ends], _LABEL, _TOP + 4, self.floor - 4)
        left = _RIGHT + 16
        for line, (x, y), place in zip(self.lines, ends, places, strict=True):
            lead = svg.path("thin", [(x + 2, y), (_RIGHT + 3, y), (left - 5, place)])
            mark = svg.marker(self.kinds[line.name], line.curve.device, left, place, 3.5)
            yield f'<g class="{self.hues[line.name]}">{lead}{mark}</g>'
            yield svg.text("small", left + 8, place + 4, line.name, svg.NARROW - left - 8, svg.SMALL)

    def _end(self, line: _Line) -> tuple[float, float]:
        at, value = line.points[-1][0], line.points[-1][1].median
        if line.samples:
            at, value = line.samples[-1][0], line.samples[-1][1].value
        return self.x(at), self.y(value)


def _own(line: _Line) -> bool:
    """Whether the line's variant has a hue of its own: of several lines of one variant none has."""
    return line.name in _OWN_HUES


def _short(value: float) -> str:
    """An amount with three digits and a letter for its thousands, as ``41.8k``."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g}{letter}" if value < 1e13 else f"{value:.3g}"
    return f"{value:.3g}"
