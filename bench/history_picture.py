"""Draws a history as one SVG that stands by itself: a panel per series, all over the same commits.

It loads nothing and runs nothing, so that a page can hold it inline; its colours follow the reader's light or dark
setting. Whatever comes from data is escaped.
"""

import math
from collections.abc import Iterator, Sequence

from .history import History, Series, full_names, levels
from .history_table import ratio_of, size_of
from .report.svg import escape, group, line, marker, ticks
from .table import times

_WIDTH, _HEIGHT, _HEAD = 960, 190, 34
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 24, 44, 34
_SHORT = 8
_MOST_LABELS = 11
"""Labels of commits that fit beside each other."""
_LEAST_RANGE = math.log(1.1)
"""The axis is this high at least, as a logarithm, so that noise does not look like mountains."""

_STYLE = """
.tbh { --paper: #ffffff; --ink: #1f2328; --quiet: #59636e; --grid: #d1d9e0; --point: #0969da; --slower: #cf222e;
  --faster: #1a7f37; font: 12px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .tbh { --paper: #0d1117; --ink: #e6edf3; --quiet: #9198a1; --grid: #30363d;
  --point: #4493f8; --slower: #ff7b72; --faster: #3fb950; } }
.tbh .paper { fill: var(--paper); }
.tbh text { fill: var(--quiet); }
.tbh .name { fill: var(--ink); font-weight: 600; }
.tbh .commit { font-family: ui-monospace, monospace; font-size: 11px; text-anchor: middle; }
.tbh .tick { text-anchor: end; }
.tbh .grid { stroke: var(--grid); }
.tbh .interval { stroke: var(--point); stroke-width: 2; stroke-opacity: 0.4; }
.tbh .point { fill: var(--point); }
.tbh .level { stroke: var(--ink); stroke-width: 1.5; }
.tbh .change { stroke-dasharray: 4 3; }
.tbh line.slower { stroke: var(--slower); }
.tbh text.slower { fill: var(--slower); }
.tbh line.faster { stroke: var(--faster); }
.tbh text.faster { fill: var(--faster); }
"""


def picture(history: History) -> str:
    """The SVG of a history: points with their intervals, the levels between change points, and these in words."""
    height = _HEAD + _HEIGHT * len(history.series)
    title = escape(f"How many times as fast as {history.anchor}, by commit; higher is faster")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tbh" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'role="img" aria-label="{title}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        f'<text class="name" x="12" y="22">{title}</text>',
    ]
    for number, (name, series) in enumerate(zip(full_names(history.series), history.series, strict=True)):
        parts.append(f'<g transform="translate(0 {_HEAD + _HEIGHT * number})">')
        parts += _Panel(series, history.commits).parts(name)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>\n"])


class _Panel:
    """Where the points of a series lie."""

    def __init__(self, series: Series, commits: Sequence[str]) -> None:
        self.series, self.commits = series, commits
        step = (_WIDTH - _LEFT - _RIGHT) / len(commits)
        self.x = {commit: _LEFT + step * (place + 0.5) for place, commit in enumerate(commits)}
        ends = [end for point in series.points for end in point.ratio.ends]
        low, high = math.log(min(ends)), math.log(max(ends))
        room = max(0.08 * (high - low), (_LEAST_RANGE - (high - low)) / 2)
        self.low, self.high = low - room, high + room

    def y(self, ratio: float) -> float:
        """Height of a ratio, on a scale of logarithms."""
        share = (math.log(ratio) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def parts(self, name: str) -> Iterator[str]:
        """The panel's elements."""
        yield f'<text class="name" x="12" y="14">{escape(name)}</text>'
        yield from self._axes()
        yield from self._changes()
        yield from self._levels()
        yield from self._points()

    def _axes(self) -> Iterator[str]:
        for ratio in ticks(math.exp(self.low), math.exp(self.high)):
            y = self.y(ratio)
            yield line("grid", _LEFT, y, _WIDTH - _RIGHT, y)
            yield f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}">{times(ratio)}</text>'
        every = math.ceil(len(self.commits) / _MOST_LABELS)
        for commit in self.commits[::-1][::every]:
            x = self.x[commit]
            yield f'<text class="commit" x="{x:.1f}" y="{_HEIGHT - 14}">{escape(commit[:_SHORT])}</text>'

    def _changes(self) -> Iterator[str]:
        for number, change in enumerate(self.series.changes):
            x = (self.x[change.commit] + self.x[change.last_before]) / 2
            kind = "slower" if change.slower > 0 else "faster"
            yield line(f"change {kind}", x, _TOP - 6, x, _HEIGHT - _BOTTOM)
            anchor = "end" if x > _WIDTH / 2 else "start"
            words = escape(f"{change.commit[:_SHORT]}: {size_of(change)} (p {change.probability:.2g})")
            y = _TOP - 22 + 12 * (number % 2)  # two lines in turn, so that neighbours do not overlap
            yield f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{words}</text>'

    def _levels(self) -> Iterator[str]:
        for first, stop, ratio in levels(self.series):
            ends = (self.x[self.series.points[index].commit] for index in (first, stop - 1))
            left, right = ends
            yield line("level", left - 4, self.y(ratio), right + 4, self.y(ratio))

    def _points(self) -> Iterator[str]:
        for point in self.series.points:
            x, ratio = self.x[point.commit], point.ratio
            marks = [marker("point", "cpu", x, self.y(ratio.median), 3.5)]
            if ratio.low is not None and ratio.high is not None:
                marks.insert(0, line("interval", x, self.y(ratio.low), x, self.y(ratio.high)))
            yield group(f"{point.commit}: {ratio_of(point)}, {point.rounds} rounds", *marks)
