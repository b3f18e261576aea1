"""The numbers in docs/treeshap.md, against subsets listed by brute force, XGBoost, and the tables of the engine."""

import json
import re
import sys
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import xgboost as xgb
from technobench.cpu_pipeline.shap import ShapInteractions, TreeShap
from technobench.pipeline.forest import Forest
from technobench.pipeline.shap_tables import MOST_BYTES, ShapTables
from technobench.pipeline.threshold_codes import ThresholdCodes

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/treeshap.md").read_text(encoding="utf-8")
FEATURES = ("employees", "crm", "revenue")
TREE = json.loads((ROOT / "docs/treeshap-tree.json").read_text())["learner"]["gradient_booster"]["model"]["trees"][0]
LEFT, RIGHT, COVER = TREE["left_children"], TREE["right_children"], TREE["sum_hessian"]
FEATURE, CONDITION, DEFAULT_LEFT = TREE["split_indices"], TREE["split_conditions"], TREE["default_left"]
QUESTION = {"A": (0, 100), "B": (1, 0.5), "C": (0, 20), "D": (2, 5)}


def table(name):
    """The cells below the header of the page's table of that name."""
    text = PAGE.split(f"<!-- table: {name} -->\n\n")[1].split("\n\n")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert len({len(cells) for cells in lines}) == 1
    return lines[2:]


def number(cell):
    return float(cell.replace("−", "-")) if cell else np.nan


def numbers(cells):
    return [number(cell) for cell in cells]


ROWS = np.array([numbers(cells[1:]) for cells in table("rows")])


def goes_left(node, row):
    value = row[FEATURE[node]]
    return bool(DEFAULT_LEFT[node]) if np.isnan(value) else value < CONDITION[node]


def expected(row, known, node=0):
    """v of a set of known features: the definition, down the tree."""
    if LEFT[node] < 0:
        return CONDITION[node]
    if FEATURE[node] in known:
        return expected(row, known, LEFT[node] if goes_left(node, row) else RIGHT[node])
    both = ((COVER[child] * expected(row, known, child)) for child in (LEFT[node], RIGHT[node]))
    return sum(both) / COVER[node]


def by_orders(worth, features):
    """Shapley values by the definition, by feature: mean gains over all orders in which features become known."""
    gains = np.zeros(len(FEATURES))
    orders = list(permutations(features))
    for order in orders:
        for place, feature in enumerate(order):
            gains[feature] += worth(order[: place + 1]) - worth(order[:place])
    return gains / len(orders)


def values_of(row):
    return by_orders(lambda known: expected(row, known), range(len(FEATURES)))


def path(leaf):
    """(node, child) from the leaf up."""
    while leaf:
        parent = TREE["parents"][leaf]
        yield parent, leaf
        leaf = parent


def players(leaf, goes):
    """(present, absent) by feature; ``goes`` tells of a node whether the row goes left."""
    found = {}
    for node, child in path(leaf):
        present, absent = found.get(FEATURE[node], (1, 1.0))
        took = (child == LEFT[node]) == goes(node)
        found[FEATURE[node]] = present * took, absent * COVER[child] / COVER[node]
    return found


def players_of_first_row(leaf):
    return players(leaf, lambda node: goes_left(node, ROWS[0]))


def leaf_values(leaf, found):
    """The Shapley values of the leaf's own game."""
    return by_orders(
        lambda known: CONDITION[leaf] * np.prod([found[f][0 if f in known else 1] for f in found]), tuple(found)
    )


@pytest.fixture(scope="module")
def booster():
    return xgb.Booster(model_file=str(ROOT / "docs/treeshap-tree.json"))


@pytest.fixture(scope="module")
def forest(booster):
    return Forest.from_model(bytes(booster.save_raw("json")))


def test_the_tree_is_the_files():
    for cells in table("nodes"):
        node = int(cells[0])
        assert number(cells[1]) == COVER[node]
        if LEFT[node] < 0:
            assert cells[2:6] == [""] * 4
            assert number(cells[6]) == CONDITION[node]
            continue
        feature, threshold = QUESTION[cells[2]]
        assert (FEATURE[node], CONDITION[node]) == (feature, threshold)
        assert cells[3] == f"{FEATURES[feature]} < {threshold}"
        assert cells[4] == ("left" if DEFAULT_LEFT[node] else "right")
        assert cells[5] == f"{LEFT[node]}, {RIGHT[node]}"
    assert len(table("nodes")) == len(LEFT)


def test_expectations_of_sets():
    listed = {
        frozenset(cells[0].replace("nothing", "").split(", ")) - {""}: number(cells[1]) for cells in table("subsets")
    }
    for size in range(4):
        for known in combinations(range(3), size):
            value = listed.pop(frozenset(FEATURES[feature] for feature in known))
            assert value == pytest.approx(expected(ROWS[0], known), abs=1e-12)
    assert not listed


def test_values_are_those_of_all_orders_and_of_xgboost(booster):
    listed = np.array([numbers(cells[1:]) for cells in table("values")])
    defined = [[*values_of(row), expected(row, ()), expected(row, (0, 1, 2))] for row in ROWS]
    np.testing.assert_allclose(listed, defined, rtol=0, atol=1e-12)
    matrix = xgb.DMatrix(ROWS, feature_names=list(FEATURES))
    np.testing.assert_allclose(listed[:, :4], booster.predict(matrix, pred_contribs=True), rtol=0, atol=1e-6)
    np.testing.assert_allclose(listed[:, 4], booster.predict(matrix), rtol=0, atol=1e-6)


def test_values_are_those_of_the_engine(forest):
    stored = ~np.isnan(ROWS)
    matrix = sp.csr_matrix((ROWS[stored].astype(np.float32), np.nonzero(stored)), shape=ROWS.shape)
    listed = np.array([numbers(cells[1:5]) for cells in table("values")])
    for most_bytes in (MOST_BYTES, 200, 0):
        values = TreeShap.from_forest(forest, most_bytes).shap_values(matrix, output="dense")
        np.testing.assert_allclose(values, listed, rtol=0, atol=1e-6)


def test_players_of_the_leaves():
    for cells in table("players"):
        leaf, value, *factors = numbers(cells)
        assert value == CONDITION[int(leaf)]
        found = players_of_first_row(int(leaf))
        listed = {f: tuple(factors[2 * f : 2 * f + 2]) for f in range(3) if not np.isnan(factors[2 * f])}
        assert listed == {feature: pytest.approx(pair) for feature, pair in found.items()}
    assert [int(cells[0]) for cells in table("players")] == [3, 7, 8, 5, 9, 10]


def test_quadrature_gives_the_subsets_values():
    found = players_of_first_row(10)
    first, second, integral, difference, value = (numbers(cells[1:]) for cells in table("quadrature"))
    for point, sign in ((first, -1), (second, 1)):
        t = (1 + sign / np.sqrt(3)) / 2  # the roots of Legendre's polynomial of degree 2, from 0 to 1
        assert point[:2] == pytest.approx([t, 0.5], abs=1e-6)
        for feature in range(3):
            others = [present * t + absent * (1 - t) for f, (present, absent) in found.items() if f != feature]
            assert point[2 + feature] == pytest.approx(np.prod(others), abs=1e-6)
    assert value[2:] == pytest.approx(leaf_values(10, found), abs=1e-12)
    assert difference[2:] == pytest.approx([found[f][0] - found[f][1] for f in range(3)])
    assert integral[2:] == pytest.approx((np.array(first[2:]) + second[2:]) / 2, abs=1e-6)
    assert value[2:] == pytest.approx(0.9 * np.array(difference[2:]) * integral[2:], abs=1e-6)


def test_questions_and_their_rare_answers():
    for bit, cells in enumerate(table("questions")):
        letter = cells[1][0]
        nodes = [n for n in range(11) if LEFT[n] >= 0 and (FEATURE[n], CONDITION[n]) == QUESTION[letter]]
        right, both = sum(COVER[RIGHT[n]] for n in nodes), sum(COVER[n] for n in nodes)
        assert cells[0] == str(bit)
        assert cells[2] == f"{right:g} of {both:g}"
        assert cells[3] == ("right" if right < both / 2 else "left")


RARE_RIGHT = {"A": True, "B": True, "C": False, "D": False}


def values_at(leaves, pattern):
    """Sums over leaves of what each gives at the answers of a pattern (bits by letter)."""
    letter_of = {asked: letter for letter, asked in QUESTION.items()}

    def goes(node):
        letter = letter_of[FEATURE[node], CONDITION[node]]
        return bool(pattern[letter]) != RARE_RIGHT[letter]

    return sum(leaf_values(leaf, players(leaf, goes)) for leaf in leaves)


@pytest.mark.parametrize(
    ("name", "letters", "leaves", "most_bytes"),
    [("patterns", "DCBA", (3, 5, 7, 8, 9, 10), MOST_BYTES), ("left group", "CBA", (3, 7, 8), 200)],
)
def test_tables_are_sums_over_the_groups_leaves(forest, name, letters, leaves, most_bytes):
    lines = table(name)
    assert len(lines) == 2 ** len(letters)
    shap_tables = ShapTables.of(forest, ThresholdCodes.of(forest), most_bytes)
    pairs = shap_tables.tables[: len(lines) * shap_tables.pair_offsets[1]].reshape(-1, len(lines), 2)
    for pattern, cells in enumerate(lines):
        assert cells[:2] == [str(pattern), f"{pattern:0{len(letters)}b}"]
        listed = numbers(cells[2:])
        defined = values_at(leaves, dict(zip(letters, map(int, cells[1]), strict=True)))[: len(listed)]
        assert listed == pytest.approx(defined, abs=1e-12)
        assert listed == pytest.approx(pairs[:, pattern].ravel()[: len(listed)], abs=1e-6)


def test_groups_of_both_budgets(forest):
    codes = ThresholdCodes.of(forest)
    found = []
    for most_bytes in (MOST_BYTES, 200):
        tables = ShapTables.of(forest, codes, most_bytes)
        for group in range(len(tables.table_offsets)):
            asked = slice(*tables.question_offsets[group : group + 2])
            places = zip(tables.column[asked], tables.rank[asked], strict=True)
            thresholds = [(codes.feature[c], codes.thresholds[codes.offsets[c] + r - 1]) for c, r in places]
            letters = sorted(letter for letter in QUESTION if QUESTION[letter] in thresholds)
            pairs = tables.pairs[slice(*tables.pair_offsets[group : group + 2])]
            features = ", ".join(FEATURES[place] for place in pairs.ravel() if place < 3)
            patterns = 2 ** len(thresholds)
            row = [most_bytes, group + 1, ", ".join(letters), features, patterns, 8 * patterns * len(pairs)]
            found.append(list(map(str, row)))
    assert table("groups") == found


def test_codes_count_thresholds(forest):
    codes = ThresholdCodes.of(forest)
    for column, cells in enumerate(table("codes")):
        assert cells[0] == FEATURES[codes.feature[column]]
        nodes = [n for n in range(11) if LEFT[n] >= 0 and FEATURE[n] == codes.feature[column]]
        thresholds = sorted({CONDITION[n] for n in nodes})
        assert numbers(cells[1].split(", ")) == thresholds
        assert {DEFAULT_LEFT[n] for n in nodes} == {int(cells[2] == "left")}
        missing = 0 if cells[2] == "left" else 255
        values = ROWS[:, codes.feature[column]]
        counted = [missing if np.isnan(v) else sum(t <= v for t in thresholds) for v in values]
        assert numbers(cells[3:]) == [missing, *counted]
        np.testing.assert_array_equal(codes.encode(column, values.astype(np.float32)), counted)


def test_interactions_are_xgboosts_and_the_engines(booster, forest):
    listed = np.array([numbers(cells[1:]) for cells in table("interactions")])
    theirs = booster.predict(xgb.DMatrix(ROWS[:1], feature_names=list(FEATURES)), pred_interactions=True)[0]
    np.testing.assert_allclose(listed, theirs[:3, :3], rtol=0, atol=1e-6)
    np.testing.assert_allclose(listed.sum(axis=1), values_of(ROWS[0]), rtol=0, atol=1e-12)
    for most_bytes in (MOST_BYTES, 200, 0):
        ours = ShapInteractions.from_forest(forest, most_bytes).interaction_values(ROWS[:1], output="dense")[0]
        np.testing.assert_allclose(listed, ours[:3, :3], rtol=0, atol=1e-6)


def test_the_pictures_are_as_drawn():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import draw_treeshap
    finally:
        sys.path.pop(0)
    np.testing.assert_array_equal(draw_treeshap.ROWS, ROWS.astype(np.float32))
    for picture, content in draw_treeshap.pictures():
        assert picture.read_text(encoding="utf-8") == content, "run tools/draw_treeshap.py"
        assert f"({picture.name})" in PAGE


def test_links_lead_somewhere():
    for page in ("treeshap.md", "native-engines.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
        assert targets
        assert all((ROOT / "docs" / target).exists() for target in targets)
