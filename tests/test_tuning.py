"""What is chosen of trials: the Pareto front against brute force, standard errors, one standard error of the best."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from technobench.bench.fold_row import FoldRow
from technobench.bench.trial_table import advice, as_json, run_line, trial_table
from technobench.bench.tuning import chosen, metric_of, pareto_front, trials_of
from technobench.pipeline.errors import InputError

VALUES = st.integers(0, 6).map(float) | st.just(math.inf)


@given(st.lists(st.tuples(VALUES, VALUES.filter(math.isfinite)), max_size=12))
def test_front_is_what_nothing_dominates(points):
    def dominated(point):
        return any(other[0] <= point[0] and other[1] <= point[1] and other != point for other in points)

    assert pareto_front(points) == [not dominated(point) for point in points]


def row(value, fold, quality=None, cpu=1.0, failure=None, folds=3, **changed):
    measured = {"seconds": 2 * cpu, "cpu_seconds": cpu, "setup_seconds": 0.5, "peak_bytes": 100 + fold}
    values = {
        "stage": "als",
        "variant": "native",
        "dataset": "whotracksme",
        "scale": 1.0,
        "parameters": {"factors": value, "alpha": 10.0, "seed": 0},
        "fold": fold,
        "folds": folds,
        "failure": failure,
        "quality": None if quality is None else {"ndcg@100": quality, "recall@100": 1 - quality},
        **(measured if quality is not None else dict.fromkeys(measured)),
        "threads": 1,
        "problem_digest": "",
        "versions": {},
        "thread_settings": {},
        "host": {},
        "commit": None,
        "dirty": None,
        "run_id": "tune-r",
        "started": "",
        "command": "technobench tune als",
        **changed,
    }
    return FoldRow(**values)


def rows_of(qualities, cpu=1.0, value=0):
    return [row(value, fold, quality, cpu) for fold, quality in enumerate(qualities)]


ROWS = [
    *rows_of([0.50, 0.54, 0.58], cpu=8.0, value=64),  # mean 0.54, standard error 0.0231
    *rows_of([0.49, 0.53, 0.57], cpu=2.0, value=32),  # 0.53, within one standard error, cheaper
    *rows_of([0.51, 0.53, 0.54], cpu=3.0, value=48),  # 0.5267, within it, dearer than the one before and worse
    *rows_of([0.40, 0.41, 0.42], cpu=1.0, value=8),  # 0.41, cheapest of all, far below
    *rows_of([0.9, 0.9], cpu=0.1, value=99),
    row(99, 2, failure="time-out: no answer after 5 s"),
]


def factors(trials):
    return [trial.parameters["factors"] for trial in trials]


def test_choice_by_one_standard_error():
    choice = chosen(trials_of(ROWS[::-1], "ndcg@100"), "highest", "cpu")
    assert factors(choice.trials) == [64, 32, 48, 8, 99], "best first; what lacks a fold is last, however good"
    assert factors(choice.front) == [64, 32, 8]
    best, thrifty = choice.best, choice.thrifty
    assert (best.parameters["factors"], thrifty.parameters["factors"]) == (64, 32)
    assert best.qualities == (0.50, 0.54, 0.58), "in the order of folds"
    assert best.mean == pytest.approx(0.54)
    assert best.standard_error == pytest.approx(np.std([0.50, 0.54, 0.58], ddof=1) / np.sqrt(3))
    assert best.peak_bytes == 101
    assert choice.trials[-1].failures == ("fold 3: time-out: no answer after 5 s",)


def test_the_lowest_is_the_best_where_the_stage_says_so():
    choice = chosen(trials_of(ROWS, "ndcg@100"), "lowest", "cpu")
    assert factors(choice.trials) == [8, 48, 32, 64, 99]
    assert factors(choice.front) == [8], "it is the cheapest, too"
    assert choice.thrifty is choice.best


def test_another_metric_and_another_cost():
    choice = chosen(trials_of(ROWS, "recall@100"), "highest", "cpu")
    assert choice.best.parameters["factors"] == 8
    assert metric_of(ROWS, None) == "ndcg@100"
    assert metric_of(ROWS, "recall@100") == "recall@100"
    with pytest.raises(InputError, match=r"--metric rmse: the stage tells ndcg@100, recall@100"):
        metric_of(ROWS, "rmse")
    assert chosen(trials_of(ROWS, "ndcg@100"), "highest", "time").thrifty.cost("time") == 4.0
    by_memory = chosen(trials_of(ROWS, "ndcg@100"), "highest", "memory")
    assert by_memory.thrifty is by_memory.best, "as much memory, and better"


def test_equal_trials_are_both_on_the_front():
    rows = [*rows_of([0.1, 0.2, 0.3], value=1), *rows_of([0.1, 0.2, 0.3], value=2)]
    choice = chosen(trials_of(rows, "ndcg@100"), "highest", "cpu")
    assert factors(choice.front) == [1, 2]


def test_nothing_complete_is_nothing_chosen():
    failed = [row(1, fold, failure="no memory") for fold in range(3)]
    assert metric_of(failed, "anything") is None
    choice = chosen(trials_of(failed, None), "highest", "cpu")
    assert (choice.best, choice.thrifty, choice.front) == (None, None, ())
    assert "nothing to choose from" in advice(choice, failed[0], "ndcg@100", "cpu")[0]
    assert math.isnan(choice.trials[0].mean)
    told = as_json(choice, failed[0], None, "highest", "cpu")
    assert told["best"] is None and told["trials"][0]["quality"] is None
    assert trial_table(choice, "title", "quality", "cpu").row_count == 1


def test_advice_names_both_and_how_much_less_it_costs():
    choice = chosen(trials_of(ROWS, "ndcg@100"), "highest", "cpu")
    lines = advice(choice, ROWS[0], "ndcg@100", "cpu")
    assert lines[1].endswith("--dataset whotracksme"), "64 factors are the default"
    assert lines[2].endswith("0.25 of its CPU time:")
    assert lines[3].endswith("--dataset whotracksme --param factors=32")


def test_the_run_line_repeats_what_is_no_default():
    line = run_line(row(7, 0, 0.5, scale=0.25, dataset="planted"), {"factors": 7, "alpha": 10.0, "seed": 3})
    assert line == (
        "technobench run --stage als --variant native --dataset planted --scale 0.25 --param factors=7 --param seed=3"
    )
