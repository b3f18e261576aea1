"""Draw the pictures of docs/treeshap.md from the tree of docs/treeshap-tree.json, with the numbers of our own tables.

python tools/draw_treeshap.py

Every text stands on a light card of its own, so that the pictures read on a light page and on a dark one.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import xgboost as xgb
from technobench.pipeline.forest import Forest
from technobench.pipeline.shap_tables import MOST_BYTES, ShapTables
from technobench.pipeline.threshold_codes import ThresholdCodes

DOCS = Path(__file__).resolve().parent.parent / "docs"
FEATURES = ("employees", "crm", "revenue")
ROWS = np.array(
    [[50, 1, np.nan], [np.nan, np.nan, 7], [10, 1, 3], [200, np.nan, 2]],
    np.float32,
)
CUT_BYTES = 200
"""So few bytes of tables that the tree is cut into two groups."""

_INK, _LINE, _CARD, _PLAIN = "#1f2328", "#8b949e", "#f6f8fa", "#e7ebef"
_GROUPS = ("#218bff", "#d97706")
_OF_ROW = ("#cfe8ff", "#ffe2b8", "#d3f3cb", "#f3d1f4")
_FONT = "font-family='-apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


def number(value: float) -> str:
    """As the page writes it: a true minus, no trailing zeros."""
    return f"{round(float(value), 4):g}".replace("-", "−")


def text(x: float, y: float, content: str, size: int = 14, weight: str = "normal") -> str:
    """A line of text centred on (x, y)."""
    escaped = content.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f"<text x='{x:g}' y='{y + 0.35 * size:g}' font-size='{size}' font-weight='{weight}' text-anchor='middle' "
        f"fill='{_INK}' {_FONT}>{escaped}</text>"
    )


def card(x: float, y: float, width: float, height: float, lines: Sequence[str], fill: str = _CARD) -> str:
    """A filled box centred on (x, y) with lines of text, the first one bold."""
    step = 17
    top = y - step * (len(lines) - 1) / 2
    box = (
        f"<rect x='{x - width / 2:g}' y='{y - height / 2:g}' width='{width:g}' height='{height:g}' rx='5' "
        f"fill='{fill}' stroke='{_LINE}'/>"
    )
    return box + "".join(
        text(x, top + step * k, line, weight="bold" if k == 0 and len(lines) > 1 else "normal")
        for k, line in enumerate(lines)
    )


def svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """A whole file; the title is what a screen reader says."""
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' role='img'>"
    return "\n".join([head, f"<title>{title}</title>", *parts, "</svg>"]) + "\n"


class Worked:
    """The worked tree, its codes, and its tables, whole and cut."""

    def __init__(self) -> None:
        """Read docs/treeshap-tree.json."""
        booster = xgb.Booster(model_file=str(DOCS / "treeshap-tree.json"))
        self.forest = Forest.from_model(bytes(booster.save_raw("json")))
        self.codes = ThresholdCodes.of(self.forest)
        self.whole = ShapTables.of(self.forest, self.codes, MOST_BYTES)
        self.cut = ShapTables.of(self.forest, self.codes, CUT_BYTES)

    def question(self, node: int) -> tuple[int, int]:
        """Coded column and rank."""
        return int(self.codes.node_column[node]), int(self.codes.node_rank[node])

    def letters(self) -> dict[tuple[int, int], str]:
        """The questions' letters, A for bit 0 of the whole tree's patterns."""
        asked = zip(self.whole.column.tolist(), self.whole.rank.tolist(), strict=True)
        return dict(zip(asked, "ABCD", strict=True))

    def below(self, node: int) -> Iterator[int]:
        """The node and all nodes below it."""
        yield node
        if self.forest.left[node] >= 0:
            yield from self.below(int(self.forest.left[node]))
            yield from self.below(int(self.forest.right[node]))

    def encoded(self) -> np.ndarray:
        """uint8[columns, rows]: codes of `ROWS`."""
        features = self.codes.feature
        return np.array([self.codes.encode(column, ROWS[:, features[column]]) for column in range(len(features))])

    def answers(self) -> np.ndarray:
        """bool[questions, rows]: which answers of `ROWS` are the rare ones, bit by bit."""
        right = self.encoded()[self.whole.column] >= self.whole.rank[:, None]
        return right == self.whole.rare_right[:, None]

    def table(self) -> np.ndarray:
        """float32[patterns, features]: the whole tree's table, without the scrap partner."""
        pairs = self.whole.tables.reshape(len(self.whole.pairs), -1, 2)
        return np.concatenate(list(pairs), axis=1)[:, : len(FEATURES)]


def tree_picture(worked: Worked) -> str:
    """Questions, shares of the covers, leaves; two groups, as a small budget cuts them."""
    forest = worked.forest
    place = _places(worked)
    edges = [
        f"<line x1='{place[node][0]:g}' y1='{place[node][1]:g}' x2='{place[child][0]:g}' y2='{place[child][1]:g}' "
        f"stroke='{_LINE}' stroke-width='2'/>"
        for node in place
        for child in (int(forest.left[node]), int(forest.right[node]))
        if child >= 0
    ]
    parts = [*_group_boxes(worked, place), *edges]
    for node, (x, y) in place.items():
        cover = number(forest.cover[node])
        if forest.left[node] < 0:
            value = number(forest.leaf_value[node])
            parts.append(card(x, y, 124, 44, [value, f"leaf {node}, cover {cover}"], "#ddf4e4"))
            continue
        asked = f"{worked.letters()[worked.question(node)]}: {FEATURES[forest.feature[node]]}"
        parts.append(card(x, y, 172, 44, [f"{asked} < {number(forest.threshold[node])}", f"cover {cover}"]))
        parts += _answers(worked, place, node)
    return svg(840, 464, "The worked tree: questions, covers, leaves, two groups", parts)


def _places(worked: Worked) -> dict[int, tuple[float, float]]:
    """The middle of each node: leaves side by side, parents between their children."""
    forest = worked.forest
    leaves = [node for node in worked.below(0) if forest.left[node] < 0]
    place: dict[int, tuple[float, float]] = {}

    def put(node: int, depth: int) -> float:
        children = int(forest.left[node]), int(forest.right[node])
        x = 70 + 140 * leaves.index(node) if node in leaves else sum(put(child, depth + 1) for child in children) / 2
        place[node] = x, 34 + 120 * depth
        return x

    put(0, 0)
    return place


def _group_boxes(worked: Worked, place: dict[int, tuple[float, float]]) -> Iterator[str]:
    """A tinted box around each half of the tree, which the small budget makes a group of its own."""
    cut, letters = worked.cut, worked.letters()
    for group, root in enumerate((int(worked.forest.left[0]), int(worked.forest.right[0]))):
        xs = [place[node][0] for node in worked.below(root)]
        asked = slice(cut.question_offsets[group], cut.question_offsets[group + 1])
        questions = zip(cut.column[asked].tolist(), cut.rank[asked].tolist(), strict=True)
        yield (
            f"<rect x='{min(xs) - 68:g}' y='120' width='{max(xs) - min(xs) + 136:g}' height='338' rx='12' "
            f"fill='{_GROUPS[group]}' fill-opacity='0.14' stroke='{_GROUPS[group]}' stroke-width='2'/>"
        )
        label = f"group {group + 1}: questions {', '.join(sorted(letters[question] for question in questions))}"
        yield card((min(xs) + max(xs)) / 2, 440, 240, 26, [label], "#ffffff")


def _answers(worked: Worked, place: dict[int, tuple[float, float]], node: int) -> Iterator[str]:
    """On the edges to both children: the answer, whether a missing value goes there, and the share of the cover."""
    forest, (x, y) = worked.forest, place[node]
    for child, answer in ((int(forest.left[node]), "yes"), (int(forest.right[node]), "no")):
        missing = ", missing" if forest.default_left[node] == (answer == "yes") else ""
        share = f"{forest.cover[child] / forest.cover[node]:.2f}"
        at_x, at_y = x + 0.6 * (place[child][0] - x), y + 0.52 * (place[child][1] - y)
        yield card(at_x, at_y, 102 if missing else 52, 38, [share, answer + missing], _PLAIN)


def lookup_picture(worked: Worked) -> str:
    """Four rows: values, codes, answers, patterns; the table's entries at these patterns; the sums."""
    patterns = (1 << np.arange(len(worked.whole.column))) @ worked.answers()
    table, values = worked.table(), worked.table()[patterns]
    bias = float(worked.forest.margins(_csr(ROWS))[0] - values[0].sum())
    letters = list(worked.letters().values())
    answers = worked.answers().astype(int).tolist()
    known = [["missing" if np.isnan(value) else number(value) for value in row] for row in ROWS.T]
    parts = [
        *_grid(8, 30, "values: features by rows", FEATURES, known),
        *_grid(8, 166, "8-bit codes", FEATURES, worked.encoded().tolist()),
        *_grid(8, 302, "rare answers, and the pattern", [*letters, "pattern"], [*answers, patterns.tolist()]),
        *_grid(8, 490, "sums: features by rows", FEATURES, [[number(v) for v in row] for row in values.T]),
        *_grid(8, 600, "", ["bias", "margin"], [[number(bias)] * 4, [number(bias + row.sum()) for row in values]]),
        *(_arrow(215, y) for y in (113, 249, 437)),
        *_table(worked, table, patterns.tolist()),
    ]
    return svg(840, 662, "The look-up: codes, patterns, table entries, sums", parts)


def _csr(rows: np.ndarray) -> sp.csr_matrix:
    stored = ~np.isnan(rows)
    return sp.csr_matrix((rows[stored], np.nonzero(stored)), shape=rows.shape)


def _grid(x: float, y: float, title: str, names: Sequence[str], cells: Sequence[Sequence]) -> Iterator[str]:
    """One line of cells per name, one column per row of the data, each in its colour."""
    if title:
        yield card(x + 207, y - 13, 414, 24, [title], "#ffffff")
    for line, (name, of_rows) in enumerate(zip(names, cells, strict=True)):
        yield card(x + 47, y + 13 + 26 * line, 94, 26, [name], _PLAIN)
        for row, cell in enumerate(of_rows):
            yield card(x + 134 + 80 * row, y + 13 + 26 * line, 80, 26, [str(cell)], _OF_ROW[row])


def _arrow(x: float, y: float) -> str:
    return f"<path d='M{x:g} {y:g} v22 m-7 -8 l7 8 l7 -8' fill='none' stroke='{_LINE}' stroke-width='3'/>"


def _table(worked: Worked, table: np.ndarray, patterns: Sequence[int]) -> Iterator[str]:
    """The whole table on the right, in two pairs, with the entries that are looked up in the rows' colours."""
    bits = "".join(reversed(list(worked.letters().values())))
    yield card(637, 17, 394, 24, ["the table of the group, pair by pair"], "#ffffff")
    for column, name in enumerate([f"pattern {bits}", *FEATURES, "none"]):
        yield card(*_cell(column, 0), 26, [name], _PLAIN)
    for pattern, entry in enumerate(table):
        fill = _OF_ROW[patterns.index(pattern)] if pattern in patterns else _CARD
        cells = [f"{pattern} = {pattern:04b}", *map(number, entry), "0"]
        for column, content in enumerate(cells):
            yield card(*_cell(column, pattern + 1), 26, [content], fill)
    yield card(637, 503, 394, 24, ["per row: 2 loads of 8 bytes, 4 additions"], "#ffffff")


def _cell(column: int, line: int) -> tuple[float, float, float]:
    """Middle and width of a cell of the table; the two pairs stand a little apart."""
    edges = (440, 552, 636, 708, 718, 790, 834)
    left, right = ((0, 1), (1, 2), (2, 3), (4, 5), (5, 6))[column]
    return (edges[left] + edges[right]) / 2, 43 + 26 * line, edges[right] - edges[left]


def pictures() -> Iterable[tuple[Path, str]]:
    """Each file with what belongs into it."""
    worked = Worked()
    yield DOCS / "treeshap-tree.svg", tree_picture(worked)
    yield DOCS / "treeshap-lookup.svg", lookup_picture(worked)


if __name__ == "__main__":
    for path, content in pictures():
        path.write_text(content, encoding="utf-8")
