"""The command tune: resumed after kills it tries each fold once, failures are rows, wrong usage is one line."""

import json
import re
import signal
import time

import click
import psutil
import pytest
from technobench.bench.cases import parameters_of
from technobench.bench.commands.tune import tune
from technobench.bench.trials import Fold, Tuning, tried
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.errors import InputError

SMALL = ("--param", "depth=3", "--param", "trees=4", "--param", "trees=8", "--folds", "2", "--variant", "xgboost")
"""Two trials of two folds, with the variant that takes least to load."""


def rows_in(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def folds_in(path):
    return sorted((row["parameters"]["trees"], row["fold"]) for row in rows_in(path))


def wait_for_rows(folder, count):
    """The tuning's file, as soon as it has so many rows."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in folder.glob("tune-*.jsonl"):
            if path.read_bytes().count(b"\n") >= count:
                return path
        time.sleep(0.02)
    raise AssertionError("no rows")


def test_interrupted_and_killed_it_goes_on_and_tries_each_fold_once(start, technobench, tmp_path, capsys):
    process = start("tune", "predict", *SMALL, "--jobs", "1")
    path = wait_for_rows(tmp_path / "results", 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "1/2" in out, "what there is is shown"
    assert "technobench tune --resume" in err
    process = start("tune", "--resume", "--jobs", "1")
    wait_for_rows(tmp_path / "results", 2)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert not psutil.wait_procs(workers, timeout=60)[1], "workers end with it"
    before = path.read_bytes()
    path.write_bytes(before + before[:70])  # as a kill in the middle of a write leaves it
    done = technobench("tune", "--resume", path.stem, "--json")
    assert done.code == 0, done.err
    assert path.read_bytes().startswith(before)
    assert folds_in(path) == [(4, 0), (4, 1), (8, 0), (8, 1)]
    told = json.loads(done.out)
    assert (told["metric"], told["goal"], told["folds"]) == ("auc", "highest", 2)
    assert told["repeat"].startswith("technobench tune predict --variant xgboost --param depth=3 --param trees=4")
    for trial in told["trials"]:
        trees = trial["parameters"]["trees"]
        rows = [row for row in rows_in(path) if row["parameters"]["trees"] == trees]
        assert sorted(trial["qualities"]) == sorted(row["quality"]["auc"] for row in rows)
        assert trial["quality"] == pytest.approx(sum(trial["qualities"]) / 2)
        assert trial["cpu_seconds"] == pytest.approx(sum(row["cpu_seconds"] for row in rows) / 2)
        assert trial["peak_bytes"] > 2**20
    best = max(told["trials"], key=lambda trial: trial["quality"])
    assert told["best"] == best == told["trials"][0]
    assert best["command"].endswith(f"--param trees={best['parameters']['trees']} --param depth=3")
    for row in rows_in(path):
        assert row["failure"] is None and 0.5 < row["quality"]["auc"] < 1
        assert row["thread_settings"]["OMP_NUM_THREADS"] == "1"
    resumed = ["--resume", path.stem, "--results", str(path.parent)]
    assert tune.main([*resumed, "--cost", "memory"], standalone_mode=False) == 0
    assert "quality against peak memory" in capsys.readouterr().out
    with pytest.raises(InputError, match="--metric rmse: the stage tells auc; choose one"):
        tune.main([*resumed, "--metric", "rmse"], standalone_mode=False)
    assert len(rows_in(path)) == 4, "nothing is tried again"


def test_a_failing_trial_is_a_row_and_the_others_are_chosen_from(technobench, tmp_path):
    (tmp_path / "grid.toml").write_text("regularization_scaling = ['size', 'nonsense']\nfactors = 4\niterations = 2\n")
    done = technobench("tune", "als", "--grid", "grid.toml", "--folds", "2", "--variant", "naive")
    assert done.code == 1
    assert "regularization_scaling='nonsense': must be one of" in done.err
    assert "nothing within one standard error of it takes less CPU time" in done.out
    assert "--param factors=4 --param iterations=2" in done.out
    (path,) = (tmp_path / "results").glob("tune-*.jsonl")
    failed = [row["failure"] is not None for row in rows_in(path)]
    assert sorted(failed) == [False, False, True, True]
    assert technobench("show").code == 2, "a tuning is no run"


def test_a_worker_that_dies_is_a_row(planted_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", planted_path)
    catalogue.get("whotracksme")
    fold = Fold(parameters_of("predict", {"trees": "4", "depth": "3"}), 1)
    (row,) = tried([fold], Tuning("run", "command", "predict", "is-killed", "whotracksme", 1.0, 2, 1, 1, 100.0))
    assert (row.fold, row.parameters) == (1, fold.parameters)
    assert "SIGKILL" in row.failure and row.quality is row.seconds is None
    assert row.setup_seconds > 0 and row.versions, "what is known is told"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a stage; those that can be tuned: predict, shap, als, recommend, ratings"),
        (["nonsense"], "no stage 'nonsense'; those that can be tuned: predict"),
        (["features", "--random", "2"], "stage features has no folds to choose by; those that can be tuned: predict"),
        (["ratings", "--param", "k=3"], "stage ratings needs ratings, dataset whotracksme has records"),
        (["predict", "--variant", "best"], "no variant 'best' of stage predict; there are: naive"),
        (["predict"], "nothing to try: give --grid FILE with lines such as depth = [6, ...], or --random N"),
        (["predict", "--param", "factors=3"], "stage predict has no parameter 'factors'"),
        (["predict", "--param", "seed=3"], "give it as --seed"),
        (["predict", "--param", "trees"], "write it as NAME=VALUE"),
        (["predict", "--grid", "absent.toml"], "absent.toml: cannot be read"),
        (["predict", "--param", "trees=4", "--jobs", "1000"], "and their costs would not compare; use at most"),
        (["predict", "--param", "trees=4", "--folds", "1"], "not in the range x>=2"),
        (["predict", "--resume"], "leave out stage"),
        (["--resume"], "no runs yet in results/; 'technobench tune' makes one"),
        (["predict", "--dataset", "nonsense"], "no dataset 'nonsense'"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_tried(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InputError, click.ClickException), match=re.escape(said)):
        tune.main(arguments, standalone_mode=False)
    assert not (tmp_path / "results").exists()
