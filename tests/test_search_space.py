"""Grids and random draws: all combinations, draws within their ranges and the same for a seed, wrong files refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.bench.search_space import check_space, drawn_points, every_point, read_space
from technobench.pipeline import registry
from technobench.pipeline.errors import InputError
from technobench.pipeline.search import Range


def space_of(tmp_path, text):
    path = tmp_path / "grid.toml"
    path.write_text(text, encoding="utf-8")
    return read_space(path)


def test_a_grid_is_every_combination_once(tmp_path):
    values = "factors = [32, 64]\nregularization = [1, 10.5, 1.0]\nregularization_scaling = ['plain', 'frequency']\n"
    points = every_point("als", space_of(tmp_path, values + "alpha = 3"))
    found = [(each["factors"], each["regularization"], each["regularization_scaling"]) for each in points]
    assert found == list(itertools.product([32, 64], [1.0, 10.5], ["plain", "frequency"]))
    assert {each["alpha"] for each in points} == {3.0}
    assert all(type(each["factors"]) is int and type(each["regularization"]) is float for each in points)
    assert all(each["iterations"] == 15 for each in points), "what is not named has its default"


def test_truth_values_are_read(tmp_path):
    points = every_point("ratings", space_of(tmp_path, "model = 'knn-means'\nuser_based = [true, false]"))
    assert [(each["model"], each["user_based"]) for each in points] == [("knn-means", True), ("knn-means", False)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("factors = [32,", "not TOML"),
        ("", "names no parameter"),
        ("factors = []", "factors: has no values"),
        ("colour = ['red']", "stage als has no parameter 'colour'; it has: alpha"),
        ("k = [10]", "stage als has no parameter 'k'"),
        ("factors = ['many']", "parameter factors=many: must be of type int"),
        ("factors = [32.5]", "parameter factors=32.5: must be of type int"),
        ("factors = [-3]", "must be above 0"),
        ("alpha = [inf]", "must be above 0 and finite"),
        ("factors = [[32]]", r"factors: \[32\] is no number"),
        ("factors = [2020-01-01]", "is no number"),
        ("factors = { low = 9, high = 3 }", "factors: low = 9 is above high = 3"),
        ("factors = { low = 1 }", "a range has low, high and maybe log, not low"),
        ("factors = { low = 1, high = 3, step = 1 }", "a range has low, high and maybe log"),
        ("factors = { low = '1', high = 3 }", "low and high must be numbers"),
        ("factors = { low = true, high = 3 }", "low and high must be numbers"),
        ("factors = { low = 1, high = 3, log = 1 }", "log must be true or false"),
        ("factors = { low = 1.5, high = 3 }", "parameter factors=1.5: must be of type int"),
        ("alpha = { low = 0, high = 3, log = true }", "log = true needs a range above 0"),
        ("alpha = { low = 0, high = 3 }", "parameter alpha=0: must be above 0"),
        ("alpha = { low = nan, high = 3 }", "must be finite"),
        ("regularization_scaling = { low = 1, high = 3 }", "regularization_scaling is no number: give values"),
        ("seed = [1, 2]", "give it as --seed"),
    ],
)
def test_wrong_files_are_refused(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        check_space("als", space_of(tmp_path, text))


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_space(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not TOML"):
        read_space(tmp_path / "binary.toml")


def test_a_range_without_draws_is_refused():
    with pytest.raises(InputError, match="alpha: a range is drawn from; say how often by --random"):
        every_point("als", {"alpha": Range(1, 3), "factors": ["3"]})


SPACE = {"factors": Range(8, 64, log=True), "alpha": Range(0.5, 2.5), "regularization_scaling": ["plain", "frequency"]}


def test_draws_are_the_same_for_a_seed_whatever_the_order_of_names_and_differ_between_seeds():
    points = drawn_points("als", SPACE, 20, seed=4)
    assert points == drawn_points("als", dict(reversed(SPACE.items())), 20, seed=4)
    assert drawn_points("als", SPACE, 7, seed=4) == points[:7]
    assert drawn_points("als", SPACE, 20, seed=5) != points
    assert len({tuple(each.items()) for each in points}) == 20
    # Python keeps random.Random.random the same in all versions; worked out from it by hand, in the order of the names.
    first = points[0]
    assert (first["alpha"], first["factors"], first["regularization_scaling"]) == (0.9721, 9, "plain")


def test_draws_are_within_their_ranges_and_spread_over_them():
    points = drawn_points("als", SPACE, 600, seed=0)
    factors = np.array([each["factors"] for each in points])
    alphas = np.array([each["alpha"] for each in points])
    assert (factors.min(), factors.max()) == (8, 64)
    assert alphas.min() >= 0.5 and alphas.max() <= 2.5
    # Of [8, 65) on a log scale a third is below 8 * (65 / 8) ** (1 / 3) = 16.08; of [0.5, 2.5] a third below 1.167.
    assert np.mean(factors <= 16) == pytest.approx(1 / 3, abs=0.06)
    assert np.mean(alphas < 0.5 + 2 / 3) == pytest.approx(1 / 3, abs=0.06)
    assert np.mean([each["regularization_scaling"] == "plain" for each in points]) == pytest.approx(0.5, abs=0.06)


def test_a_space_with_fewer_points_gives_those_it_has():
    points = drawn_points("als", {"factors": ["8", "16"], "alpha": Range(2, 2)}, 10, seed=0)
    assert sorted((each["factors"], each["alpha"]) for each in points) == [(8, 2.0), (16, 2.0)]


@given(low=st.floats(1e-3, 1e3), ratio=st.floats(1, 1e4), log=st.booleans(), share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=200)
def test_real_draws_stay_in_range_and_whole_ones_reach_its_ends(low, ratio, log, share):
    found = Range(low, low * ratio, log)
    assert found.low <= found.real(share) <= found.high
    whole = Range(int(low) + 1, int(low * ratio) + 1, log)
    assert whole.low <= whole.whole(share) <= whole.high
    assert whole.whole(0.0) == whole.low
    assert whole.whole(1 - 1e-9) == whole.high


def test_the_stages_own_ranges_are_of_their_parameters():
    for name, stage in registry.stages().items():
        check_space(name, stage.search)
        assert stage.tunable or not stage.search
