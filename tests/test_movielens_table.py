"""``technobench table movielens``: what it makes of rows, and the command from a run to the table and back."""

import importlib.util
import json

import numpy as np
import pytest
from click.testing import CliRunner
from technobench.bench import cli
from technobench.bench.movielens_table import TALK, TITLES, as_markdown, by_dataset, cells, notes
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import RatingDataset
from technobench.pipeline.datasets.interaction_file import numbered, write_ids, write_rows
from technobench.pipeline.errors import InputError
from technobench.pipeline.rating_models import MODELS
from technobench.pipeline.row import Extrapolation, Status

from .ratings_data import starred
from .test_store import row

COMMAND = ("table", "movielens", "--dataset", "small-ratings")


def rated(variant, model, judged=0, **changed):
    values = {
        "stage": "ratings",
        "dataset": "ml-1m",
        "parameters": {"model": model, "folds": 5, "judged_folds": judged},
        "seconds": [2.0, 4.0],
        "cpu_seconds": [3.0, 7.0],
        "quality": {"rmse": 0.87312, "mae": 0.68549},
        "phases": {"fit": 2.5, "predict": 0.5},
    }
    return row(variant, **{**values, **changed})


def lines_of(*rows):
    ((dataset, lines),) = by_dataset(rows)
    return dataset, lines


def test_models_are_the_stages_and_the_talks_come_first():
    assert set(TITLES) < set(MODELS)
    assert list(TITLES)[: len(TALK)] == list(TALK)


def test_figures_are_put_beside_the_talks():
    dataset, lines = lines_of(rated("native", "slope-one"), rated("native", "svd"), row("native"))
    headings, table = cells(lines)
    assert dataset == "ml-1m"
    assert table[0] == ["SVD", "0.873", "0.686", "0:01:07", "0.873", "0.685", "2.50 s", "500 ms", "3.00 s", "ok"]
    assert [text[0] for text in table] == ["SVD", "Slope One"], "in the talk's order"
    assert "Surprise" not in " ".join(headings)
    assert any("Surprise is left out: --surprise runs it" in note for note in notes(dataset, lines))
    markdown = as_markdown(lines).splitlines()
    assert len({text.count("|") for text in markdown}) == 1 and len(markdown) == 4


def test_surprise_is_compared_fold_by_fold():
    _, lines = lines_of(rated("native", "svd"), rated("naive", "svd", judged=1, cpu_seconds=[40.0]))
    assert lines[0].ratio == pytest.approx(40 / (5 / 5))
    assert cells(lines)[1][0][-3:] == ["3.00 s", "1", "~40x"]


@pytest.mark.parametrize("status", [Status.MISMATCH, Status.UNVERIFIED, Status.FELL_BACK])
def test_what_is_not_right_has_no_ratio_and_says_why(status):
    wrong = rated("naive", "slope-one", judged=1, status=status, reason="half stars")
    dataset, lines = lines_of(rated("native", "slope-one"), wrong)
    assert lines[0].ratio is None
    assert cells(lines)[1][0][-1] == "-"
    assert any(f"Surprise: {status.value}: half stars" in note for note in notes(dataset, lines))


def test_estimates_of_time_are_marked():
    fitted = Extrapolation(100.0, 90.0, 110.0, 1.0, 0.9, 1.1, ("records",), ((1.0, 1, 1.0),))
    absent = dict.fromkeys(("seconds", "cpu_seconds", "quality"))
    slow = rated("naive", "svdpp", 1, **absent, extrapolation=fitted, status=Status.EXTRAPOLATED)
    _, lines = lines_of(rated("native", "svdpp"), slow)
    assert cells(lines)[1][0][-5:] == ["-", "-", "~100 s", "1", "-"]


def test_other_data_is_said_to_be_other_data():
    for dataset, said in (("planted-ratings", "Synthetic ratings"), ("ml-100k", "these of ml-100k: not to be")):
        told, lines = lines_of(rated("native", "svd", dataset=dataset))
        assert any(said in note for note in notes(told, lines))
    told, lines = lines_of(rated("native", "svd"))
    assert not any("not to be compared" in note for note in notes(told, lines))


@pytest.fixture(scope="module")
def small():
    """A dataset of ratings of the user's own, kept where the command line finds it."""
    data = starred(30, 20, 300)
    folder = catalogue.folder_of("small-ratings")
    folder.mkdir(parents=True, exist_ok=True)
    columns = ("user", "item", "value")
    write_rows(folder, columns, [(data.users, data.items, data.values.astype(np.float32))])
    write_ids(folder, numbered("u", 30), numbered("i", 20))
    return RatingDataset(
        folder=folder,
        name="small-ratings",
        scale=1.0,
        records=300,
        columns=columns,
        users=30,
        items=20,
        digest="",
        source="made by a test",
    ).save()


def invoked(*arguments):
    """The command in this process: nothing is measured."""
    return CliRunner().invoke(cli.technobench, ["table", "movielens", *arguments])


def test_the_table_is_a_run_and_is_printed_again_from_it(technobench, small, tmp_path):
    done = technobench(*COMMAND, "--models", "slope-one", "--surprise", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert [line["model"] for line in found] == ["slope-one"]
    for line in found:
        assert (line["native"]["status"], line["native"]["folds"]) == ("ok", 5)
        assert 0.3 < line["native"]["mae"] < line["native"]["rmse"] < 1.5
        if importlib.util.find_spec("surprise"):
            assert (line["surprise"]["folds"], line["surprise"]["status"]) == (1, "ok")
            assert line["ratio"] > 0
        else:
            assert line["surprise"]["seconds"] is None
            assert any("Surprise is left out: package 'surprise'" in note for note in line["notes"])
    assert found[0]["told"] == {"rmse": 0.907, "mae": 0.715, "time": "0:02:31"}
    assert "judged_folds=5" in done.err, "progress tells what is varied"
    (path,) = (tmp_path / "results").glob("*.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert "--stage ratings --dataset small-ratings --param model=slope-one" in rows[0]["command"]
    assert json.loads(invoked("--from", str(path), "--json").output) == found
    shown = invoked("--from", str(path)).output
    assert "Slope One" in shown and "0.907" in shown and "these of small-ratings: not to be compared" in shown
    assert invoked("--from", str(path), "--markdown").output.startswith("| model | talk RMSE |")


def test_a_dry_run_names_the_cases_before_there_is_data(tmp_path):
    done = invoked("--models", "svd,nmf", "--surprise", "2", "--dry-run", "--results", str(tmp_path))
    cases = [line.partition("  ")[0] for line in done.output.splitlines()]
    assert done.exit_code == 0
    assert sorted(cases) == [
        *(f"ratings/naive ml-1m@1 model={model} judged_folds=2" for model in ("nmf", "svd")),
        *(f"ratings/native ml-1m@1 model={model} judged_folds=5" for model in ("nmf", "svd")),
    ]


def test_a_model_that_is_not_of_products_is_unavailable_and_no_failure(technobench, small):
    done = technobench(
        *("run", "--stage", "ratings", "--dataset", "small-ratings", "--variant", "batched-sparse", "--json", "-"),
        *("--param", "model=random", "--param", "model=knn-means", "--rounds", "1"),
    )
    assert done.code == 0
    assert [each["status"] for each in done.rows] == ["unavailable", "ok"]
    assert "choose slope-one, nmf or a knn model" in done.rows[0]["reason"]
    assert done.rows[1]["quality"]["rmse"] > done.rows[1]["quality"]["mae"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "dataset 'ml-1m' is not part of technobench: give your copy of it"),
        (("--models", "svd,magic"), "no model 'magic' in the table; there are: svd, svdpp"),
        (("--surprise", "9"), "--surprise 9: there are 5 folds"),
        (("--from", "nothing"), "no run 'nothing'"),
        (("--dataset", "whotracksme"), "stage ratings needs ratings, dataset whotracksme has records"),
    ],
)
def test_what_cannot_be_shown_is_refused(arguments, said, tmp_path):
    done = invoked(*arguments, "--results", str(tmp_path))
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
