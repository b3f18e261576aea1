"""The report's pictures: whole SVGs with every number of their tables, true to it, whatever the rows and names are."""

import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from technobench.bench.plan.curves import Curve, Estimate, Point
from technobench.bench.plan.models import HeldOut, NotFitted, Prediction
from technobench.bench.report import pictures, svg
from technobench.pipeline.row import Extrapolation, Monitored, Row, Status

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<script>alert(1)</script>", "\"'&]]>", "bell\x07 null\x00", "half \ud800", "x" * 500, "e\u0301\u202etfel"]


def row(variant="native", seconds=(0.1,) * 6, **others) -> Row:
    given = {
        "stage": "predict",
        "variant": variant,
        "device": "cpu",
        "status": Status.OK,
        "reason": None,
        "executed": "x",
        "seconds": None if seconds is None else list(seconds),
        "cpu_seconds": None,
        "warmup_seconds": 0.1,
        "setup_seconds": None,
        "fetch_seconds": None,
        "peak_bytes": 300 << 20,
        "resident_bytes": 200 << 20,
        "error": 1e-7,
        "tolerance": 1e-5,
        "error_measure": "difference",
        "dataset": "seed",
        "scale": 1.0,
        "sizes": {"records": 1000},
        "threads": 2,
        "parameters": {},
        "problem_digest": "p",
        "phases": None,
        "extrapolation": None,
        "monitored": None,
        "alerts": [],
        "versions": {},
        "thread_settings": {},
        "host": {"cpu": "any"},
        "commit": None,
        "dirty": None,
        "run_id": "r",
        "session": "s",
        "started": "2026-11-22",
        "command": "technobench run",
    }
    return Row(**{**given, **others})


def absent(variant, status, **others) -> Row:
    return row(variant, None, status=status, peak_bytes=None, resident_bytes=None, error=None, **others)


def extrapolated(variant, seconds, **others) -> Row:
    fitted = Extrapolation(seconds, seconds / 2, seconds * 2, 1.0, 0.9, 1.1, ("records",), ((10.0, 10, 0.1),))
    return row(variant, None, status=Status.EXTRAPOLATED, extrapolation=fitted, **others)


def on_device(variant="native-cuda", gpu_bytes=500 << 20, **others) -> Row:
    seen = Monitored(3, 1, 1.0, 0, 0, 0.0, gpu_peak_bytes=gpu_bytes)
    return row(variant, device="cuda", monitored=seen, **others)


def usual() -> list[Row]:
    """One of each kind."""
    phases = {"read": 0.01, "shap": 0.06, "predict": 0.03}
    return [
        row("batched-sparse", (0.4,) * 6, phases=phases),
        row("native", (0.1, 0.11, 0.1, 0.12, 0.1, 0.1), error=4e-8, phases=phases),
        on_device(seconds=(0.01,) * 6, error=3e-7, phases={"read": 0.001, "shap": 0.009}),
        extrapolated("naive", 90.0),
        absent("polars", Status.UNAVAILABLE),
        absent("broken", Status.FAILED),
        row("wrong", (0.05,) * 6, status=Status.MISMATCH, error=1e-3),
        row("nothing", (0.05,) * 6, status=Status.MISMATCH, error=None),
        row("elsewhere", (0.2,) * 6, status=Status.FELL_BACK),
        row("unsure", (0.3,) * 6, status=Status.UNVERIFIED, error=None),
    ]


class Straight:
    """A model without noise: seconds in proportion, known up to twice the largest size."""

    def __init__(self, each, smallest, largest):
        self.each, self.smallest, self.largest = each, smallest, largest
        self.exponent = Estimate(1.0, 0.95, 1.05)
        self.held_out = (HeldOut(largest, self.at(largest), each * largest),)

    def at(self, size):
        value = self.each * size
        return Prediction(value, value / 1.1, value * 1.1, "beyond" if size > 2 * self.largest else None)


def curve(variant="native", each=1e-6, sizes=(1000, 2000, 8000), axis="rows", device="cpu", **others):
    points = tuple(Point(at, (each * at,) * 6, {"records": 1000}, {}, None, None, None, None, None, {}) for at in sizes)
    given = {"stage": "predict", "dataset": "seed", "threads": 2, "parameters": {}, "host": {"cpu": "any"}}
    made = Curve(variant=variant, device=device, axis=axis, versions={}, points=points, commands=(), **given | others)
    return made, Straight(each, min(sizes, default=0), max(sizes, default=0))


def all_of(rows, curves=()) -> list:
    drawn = [pictures.heat_map(rows), pictures.phases(rows), pictures.memory(rows)]
    return [each for each in drawn if each] + pictures.accuracy(rows) + pictures.scaling(curves)


def tree(picture) -> ElementTree.Element:
    return ElementTree.fromstring(picture.svg)


def words(root) -> list[str]:
    """Text that is seen, cut or not."""
    return [node.text or "" for node in root.iter(f"{SVG}text")]


def check_whole(picture):
    """It parses, loads nothing, has no ids, tells every number of its table, and no coordinate is beyond numbers."""
    root = tree(picture)
    told = " ".join("".join(node.itertext()) for node in root.iter() if node.tag in (f"{SVG}title", f"{SVG}text"))
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text
    assert not [node for node in root.iter() if "id" in node.attrib or "href" in node.attrib]
    assert not re.search(r"<script|url\(|@import|javascript:|\bon\w+=", picture.svg)
    columns = picture.table.columns
    for cells in picture.table.rows:
        assert len(cells) == len(columns)
        for column, cell in zip(columns, cells, strict=True):
            assert not column.numeric or cell.text == "-" or cell.text in told, (column, cell)
    width, height = (float(each) for each in root.get("viewBox", "").split()[2:])
    for node in root.iter():
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"):
            value = float(node.get(name, 0.0).rstrip("%") if isinstance(node.get(name, 0.0), str) else 0.0)
            assert -20 <= value <= max(width, height) + 20, (name, value)
        assert not re.search("nan|inf", node.get("d", ""))


def test_each_picture_is_whole():
    drawn = all_of(usual(), [curve(), curve("native-cuda", 1e-7, device="cuda"), (curve("b")[0], NotFitted("few"))])
    assert len(drawn) == 5
    for picture in drawn:
        check_whole(picture)
        assert picture.table.rows
        assert "prefers-color-scheme: dark" in picture.svg


def test_without_rows_there_are_no_pictures():
    assert all_of([]) == []
    assert all_of([absent("polars", Status.UNAVAILABLE)])[1:] == []  # the heat map tells why nothing ran
    assert pictures.scaling([(curve(sizes=())[0], NotFitted("nothing"))]) == []


@pytest.mark.parametrize("one", [row(phases={"read": 1.0}), on_device(), extrapolated("naive", 1.0)])
def test_one_row_makes_whole_pictures(one):
    for picture in all_of([one]):
        check_whole(picture)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_data_are_escaped_and_cut(name):
    strange = [row(name, stage=name, dataset=name, phases={name: 0.1, "read": 0.1}, host={"cpu": name})]
    lines = [curve(name, stage=name, dataset=name, host={"cpu": name}), curve(name, host={"cpu": name + "2"})]
    drawn = all_of([*strange, *usual()], lines)
    assert len(drawn) == 7
    for picture in drawn:
        check_whole(picture)
        assert max(len(line) for line in words(tree(picture))) < 90


def rows_with_strange_values() -> list[Row]:
    return [
        row("batched-sparse", (0.0,) * 6, error=0.0, phases={"read": 0.0, "shap": 0.0}),
        row("endless", (math.inf, 1.0), error=math.nan, phases={"read": math.inf, "shap": 1.0}),
        row("tiny", (1e-300,) * 6, error=1e-300, tolerance=0.0, phases={"read": 1e-300}),
        row("huge", (1e300,) * 6, error=1e300, phases={"read": 1e300, "shap": 1e-300}),
        row("small", (1e-9,), peak_bytes=0, resident_bytes=None, phases={}),
        row("large", peak_bytes=1 << 60, resident_bytes=1 << 61),
        extrapolated("unbounded", math.inf),
        on_device(gpu_bytes=None),
    ]


def test_zero_infinite_and_missing_values_are_drawn_or_passed_over():
    class Wild(Straight):
        def at(self, size):
            return Prediction(math.nan if size > 3000 else 0.0, -1.0, math.inf, None)

    odd, model = curve(sizes=(0, 1000, 5000)), Wild(1.0, 0, 5000)
    drawn = all_of(rows_with_strange_values(), [odd, (curve("wild")[0], model)])
    assert len(drawn) >= 4
    for picture in drawn:
        check_whole(picture)


def test_forty_variants_are_all_there():
    many = [
        row(f"variant-{n}", (0.001 * (n + 1),) * 6, error=1e-9 * (n + 1), phases={"a": 1, "b": n}) for n in range(40)
    ]
    drawn = all_of([*many, row("batched-sparse")], [curve(f"variant-{n}", 1e-6 * (n + 1)) for n in range(40)])
    assert len(drawn) == 5
    for picture in drawn:
        check_whole(picture)
        assert {f"variant-{n}" for n in range(40)} <= {cell.text for cells in picture.table.rows for cell in cells}


def test_the_heat_map_shows_ratios_by_hand_and_words_for_the_rest():
    root = tree(pictures.heat_map(usual()))
    seen = words(root)
    assert {"4x", "1x", "40x"} <= set(seen)  # 0.4 s over 0.1 s, itself, over 0.01 s
    for status in ("extrapolated", "unavailable", "failed", "fell-back", "unverified"):
        assert status in seen
    assert seen.count("mismatch") == 2
    hatched = [node for node in root.iter(f"{SVG}path") if node.get("class") == "hatch"]
    assert len(hatched) == 8  # seven cells, and the legend's
    slower = tree(pictures.heat_map([row("batched-sparse", (0.1,) * 6), row("slow", (0.4,) * 6)]))
    (cell,) = [group for group in slower.iter(f"{SVG}g") if "variant slow" in group[0].text]
    assert [box.get("class") for box in cell.iter(f"{SVG}rect")] == ["cell", "slower"]
    assert "0.25x" in words(cell)


def test_cells_of_other_problems_and_machines_are_not_mixed():
    rows = [
        row("batched-sparse", (0.4,) * 6),
        row("native", (0.2,) * 6),
        row("batched-sparse", (8.0,) * 6, scale=2.0, problem_digest="q"),
        row("native", (0.8,) * 6, scale=2.0, problem_digest="q"),
        row("native", (0.1,) * 6, host={"cpu": "another"}),
    ]
    seen = words(tree(pictures.heat_map(rows)))
    assert seen.count("2x") == 1
    assert seen.count("10x") == 1
    assert not {"4x", "80x"} & set(seen)  # nothing there to compare with
    assert "100 ms" in seen
    newer = [*rows[:2], row("native", (0.05,) * 6, started="2026-11-23")]
    assert "8x" in words(tree(pictures.heat_map(newer)))


def test_bars_of_phases_are_shares():
    root = tree(pictures.phases([row(phases={"read": 1.0, "shap": 6.0, "predict": 3.0})]))
    groups = [group for group in root.iter(f"{SVG}g") if "phase " in group[0].text and "phase all" not in group[0].text]
    widths = [float(group.find(f"{SVG}rect").get("width")) + 1 for group in groups]
    assert [width / sum(widths) for width in widths] == pytest.approx([0.1, 0.6, 0.3], abs=2e-3)
    assert {"shap", "6.00 s", "predict", "3.00 s"} <= set(words(root))
    assert any(line.startswith("read 1.00 s, 10 %") for line in words(root))  # no room in its bar


def test_bars_of_memory_are_in_proportion_and_the_device_has_its_own():
    rows = [row("a", peak_bytes=100 << 20, resident_bytes=25 << 20), on_device("b", gpu_bytes=200 << 20)]
    root = tree(pictures.memory(rows))
    of_a, of_b = ([float(box.get("width")) for box in group.iter(f"{SVG}rect")] for group in root.iter(f"{SVG}g"))
    assert of_a[1] / of_a[0] == pytest.approx(3, abs=0.05)
    assert sum(of_b[:2]) / sum(of_a) == pytest.approx(3, abs=0.05)
    assert of_b[2] / sum(of_a) == pytest.approx(2, abs=0.05)
    assert {"100 MiB", "300 MiB", "200 MiB"} <= set(words(root))


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=8))
def test_the_front_is_what_nothing_beats(points):
    rows = [row(f"v{n}", (float(seconds),) * 6, error=1e-7 * error) for n, (seconds, error) in enumerate(points)]
    (picture,) = pictures.accuracy(rows)
    on_front = {cells[0].text for cells in picture.table.rows if cells[5].text == "yes"}
    better = {
        f"v{n}"
        for n, mine in enumerate(points)
        if not any(o != mine and o[0] <= mine[0] and o[1] <= mine[1] for o in points)
    }
    assert on_front <= better
    assert {points[int(name[1:])] for name in on_front} == {points[int(name[1:])] for name in better}


def test_wrong_answers_are_crossed_out_and_told_and_never_on_the_front():
    (picture,) = pictures.accuracy(usual())
    root = tree(picture)
    crossed = [
        group[0].text
        for group in root.iter(f"{SVG}g")
        if sum(node.get("y1") != node.get("y2") for node in group.iter(f"{SVG}line")) == 2
    ]
    assert [name.split(",")[0] for name in sorted(crossed)] == ["variant nothing", "variant wrong"]
    assert "wrong" in picture.description
    assert "infinite" in words(root)
    assert {cells[0].text for cells in picture.table.rows if cells[5].text} == {"native", "native-cuda"}
    diamonds = [group for group in root.iter(f"{SVG}g") if "device cuda" in group[0].text]
    assert diamonds and not list(diamonds[0].iter(f"{SVG}circle"))


def test_models_lie_on_their_points_and_are_dashed_where_they_are_beyond_their_support():
    far, near = curve("far", 1e-6, (1000, 10_000, 100_000)), curve("near", 1e-5, (1000, 2000, 4000))
    (picture,) = pictures.scaling([far, near])
    root = tree(picture)
    circles = [node for node in root.iter(f"{SVG}circle") if node.get("class") == "fill"]
    (x0, y0), (x1, y1), (x2, y2) = [(float(node.get("cx")), float(node.get("cy"))) for node in circles[:3]]
    assert (y1 - y0) / (x1 - x0) == pytest.approx((y2 - y1) / (x2 - x1), rel=0.01)  # a power is a straight line
    drawn = next(node.get("d") for node in root.iter(f"{SVG}path") if node.get("class") == "line")
    line = [tuple(map(float, point.split(","))) for point in drawn[1:].split()]
    assert np.interp([x0, x1, x2], *zip(*line, strict=True)) == pytest.approx([y0, y1, y2], abs=0.3)
    dashed = [node for node in root.iter(f"{SVG}path") if "beyond" in node.get("class")]
    assert {node.get("class") for node in dashed} == {"thin beyond", "line beyond"}
    starts = [float(node.get("d")[1:].split(",")[0]) for node in dashed]
    scale = (x2 - x0) / math.log(100)
    assert min(starts) > x0 + scale * math.log(8) - 8  # near's support ends at 8000
    assert len([node for node in root.iter(f"{SVG}path") if node.get("class") == "band"]) == 2
    assert "1.00 (0.95 to 1.05)" in picture.table.notes[0]


def test_threads_are_shown_as_records_per_second_with_its_points_as_ticks():
    points = tuple(
        Point(n, (1 / n,) * 6, {"records": 1000}, {}, None, None, None, None, None, {}) for n in (1, 2, 4, 8)
    )
    made = Curve("predict", "native", "cpu", "seed", "threads", None, {}, {}, {}, points, ())
    (picture,) = pictures.scaling([(made, NotFitted("few"))])
    assert [cells[3].value for cells in picture.table.rows] == pytest.approx([1000, 2000, 4000, 8000])
    assert {"1", "2", "4", "8"} <= set(words(tree(picture)))


def overlaps(texts) -> list[tuple[str, str]]:
    """Pairs of texts of one size that overlap, by the letters' usual width."""
    boxes = []
    for node in texts:
        x, y = float(node.get("x")), float(node.get("y"))
        wide = float(node.get("textLength", len(node.text) * svg.SMALL * 0.54))
        left = x - wide if "end" in node.get("class").split() else x
        boxes.append((left, y - 9, left + wide, y, node.text))
    return [
        (a[4], b[4])
        for a, b in itertools.combinations(boxes, 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


@pytest.mark.parametrize("error", [lambda n: 1e-7, lambda n: 0.0, lambda n: 1e-7 * (n % 3), lambda n: 1e-12 * 5**n])
def test_twelve_names_do_not_overlap(error):
    names = [f"a-long-variant-{n}" for n in range(12)]
    rows = [row(name, (0.1 * 1.02**n,) * 6, error=error(n)) for n, name in enumerate(names)]
    (picture,) = pictures.accuracy(rows)
    labels = [node for node in tree(picture).iter(f"{SVG}text") if node.text in names]
    assert len(labels) == 12
    assert overlaps(labels) == []
    (picture,) = pictures.scaling([curve(name, 1e-6 * 1.01**n) for n, name in enumerate(names)])
    labels = [node for node in tree(picture).iter(f"{SVG}text") if "small" in node.get("class").split()]
    assert overlaps([node for node in labels if float(node.get("x")) > 200 and node.text.startswith("a-long")]) == []


@given(st.lists(st.floats(-50, 250), max_size=30))
def test_spread_out_keeps_order_and_distance(wanted):
    found = svg.spread_out(wanted, 10, 0, 200)
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    gap = min(10, 200 / (len(wanted) - 1)) if len(wanted) > 1 else 0
    assert all(found[b] - found[a] > gap - 1e-9 for a, b in itertools.pairwise(order))
    assert all(-1e-9 <= place <= 200 + 1e-9 for place in found)


@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=5))
def test_a_scale_keeps_order_and_has_round_ticks_inside(values):
    made = svg.scale(values, 300, 0)
    places = [made(value) for value in sorted(values)]
    assert places == sorted(places, reverse=True)
    assert all(-1e-6 <= place <= 300 + 1e-6 for place in places)
    assert 1 <= len(made.ticks()) <= 6
    assert all(made.low * (1 - 1e-9) <= tick <= made.high * (1 + 1e-9) for tick in made.ticks())
    assert made(0.0) == pytest.approx(300)
