"""Folds of stages: what judges the stage's own problem is in none, they are other libraries' folds, and quality is."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import xgboost as xgb
from sklearn.metrics import ndcg_score, roc_auc_score
from sklearn.model_selection import KFold
from technobench.pipeline import registry
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.errors import InputError
from technobench.pipeline.scoring import contributions, inplace_margins
from technobench.pipeline.splits import hold_out
from technobench.pipeline.stages.als import Als, AlsAnswer
from technobench.pipeline.stages.features import Features
from technobench.pipeline.stages.predict import Predict
from technobench.pipeline.stages.ratings import RatingsStage
from technobench.pipeline.stages.recommend import Recommend
from technobench.pipeline.stages.shap import CompactContributions, Shap
from technobench.pipeline.workload import Workload

from .ratings_data import starred
from .variants import answer_of, variants_of

SMALL = {"trees": 12, "depth": 3, "seed": 5}


@pytest.fixture(scope="module")
def workload():
    return Workload(catalogue.get("whotracksme"), SMALL)


def held_by_position(workload):
    """Every fifth training record, as the decision says."""
    return np.arange(4, workload.records.training_records, 5)


def test_a_stage_without_folds_says_so(workload):
    assert not Features().tunable
    with pytest.raises(NotImplementedError, match="stage features has no folds"):
        Features().fold(workload, 0, 2)
    assert {name for name, stage in registry.stages().items() if stage.tunable} == {
        "predict",
        "shap",
        "als",
        "recommend",
        "ratings",
    }
    assert Features().quality(None, None) == {}


def test_quality_of_the_default_model_is_its_auc_on_every_fifth_record(workload):
    problem = Predict().problem(workload)
    records = held_by_position(workload)
    np.testing.assert_array_equal(problem.held_out.records, records)
    scores = inplace_margins(problem.booster(), problem.matrix)
    auc = Predict().quality(problem, scores)["auc"]
    assert auc == pytest.approx(roc_auc_score(workload.labels()[records], scores[records]), abs=1e-6)
    assert auc > 0.75
    assert Predict().quality(problem.prefix(50), scores[:50]) == {}, "who judges may be beyond"
    explained = contributions(problem.booster(), problem.matrix)
    used = np.flatnonzero(np.abs(explained).any(axis=0))
    compact = CompactContributions(explained[:, used], used, explained.shape[1])
    for answer in (explained, sp.csr_matrix(explained), compact):
        assert Shap().quality(problem, answer)["auc"] == pytest.approx(auc, abs=1e-6), "equal scores stay equal"


def test_folds_of_predict_are_scikit_learns_and_so_is_their_auc(workload):
    held = held_by_position(workload)
    learned = np.setdiff1d(np.arange(workload.records.training_records), held)
    labels, matrix = workload.labels(), workload.features().matrix
    for number, (train, test) in enumerate(KFold(3, shuffle=True, random_state=5).split(learned)):
        problem = Predict().fold(workload, number, 3)
        np.testing.assert_array_equal(problem.held_out.records, learned[test])
        options = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 3, "eta": 0.05, "seed": 5}
        booster = xgb.train(options, xgb.DMatrix(matrix[learned[train]], labels[learned[train]]), 12)
        expected = roc_auc_score(labels[learned[test]], booster.inplace_predict(matrix[learned[test]]))
        scores = answer_of(variants_of("predict")["native"], problem)
        assert len(scores) == matrix.shape[0], "all records are scored, as in the stage's own problem"
        assert Predict().quality(problem, scores)["auc"] == pytest.approx(expected, abs=1e-6)


def test_labels_of_the_test_part_change_nothing_in_the_folds(workload, monkeypatch):
    before = [Predict().fold(workload, number, 2) for number in range(2)]
    labels = workload.labels().copy()
    labels[held_by_position(workload)] ^= 1
    monkeypatch.setattr(Workload, "labels", lambda self: labels)
    after = [Predict().fold(workload, number, 2) for number in range(2)]
    for one, other in zip(before, after, strict=True):
        assert one.model == other.model
        np.testing.assert_array_equal(one.held_out.labels, other.held_out.labels)
    labels[np.setdiff1d(np.arange(len(labels)), held_by_position(workload))] ^= 1
    assert Predict().fold(workload, 0, 2).model != before[0].model, "else this test would say nothing"


def test_a_fold_that_cannot_judge_is_refused_and_the_others_are_not(workload, monkeypatch):
    labels = workload.labels().copy()
    labels[Predict().fold(workload, 1, 3).held_out.records] = 0
    monkeypatch.setattr(Workload, "labels", lambda self: labels)
    with pytest.raises(InputError, match=r"fold 2 of 3: its \d+ records are of one class and cannot judge; use fewer"):
        Predict().fold(workload, 1, 3)
    assert set(Predict().fold(workload, 0, 3).held_out.labels) == {0, 1}
    monkeypatch.setattr(Workload, "labels", lambda self: None)
    with pytest.raises(InputError, match="no label"):
        Predict().fold(workload, 0, 3)


def test_a_model_of_the_users_own_is_neither_tuned_nor_judged(monkeypatch):
    own = SimpleNamespace(model="model.ubj", training_records=100)
    monkeypatch.setattr(Workload, "records", property(lambda self: own))
    workload = Workload(SimpleNamespace(name="mine"))
    assert workload.held_out() is None
    with pytest.raises(InputError, match="dataset 'mine' has a model of its own"):
        workload.model_of_fold(0, 3)


def pairs(matrix):
    coordinates = matrix.tocoo()
    return set(zip(coordinates.row.tolist(), coordinates.col.tolist(), strict=True))


@pytest.fixture(scope="module")
def interactions():
    generator = np.random.default_rng(0)
    tastes, kinds = generator.integers(0, 4, 120), generator.integers(0, 4, 60)
    likely = np.where(tastes[:, None] == kinds[None, :], 0.6, 0.05)
    return sp.csr_matrix((generator.random((120, 60)) < likely).astype(np.float32))


def als_workload(matrix):
    return SimpleNamespace(interactions=lambda: SimpleNamespace(matrix=matrix), parameters={"seed": 3, "factors": 6})


def test_folds_of_als_keep_the_test_part_unseen(interactions):
    stage, workload = Als(), als_workload(interactions)
    learned, test = hold_out(interactions, 0.2, seed=3)
    folds = [stage.fold(workload, number, 3) for number in range(3)]
    for fold in folds:
        assert pairs(fold.strengths) | pairs(fold.held_out) == pairs(learned)
        assert not pairs(fold.strengths) & pairs(fold.held_out)
        assert not pairs(test) & (pairs(fold.strengths) | pairs(fold.held_out))
        np.testing.assert_array_equal(np.diff(fold.held_out.indptr), np.diff(learned.indptr) // 5)
    assert len({frozenset(pairs(fold.held_out)) for fold in folds}) == 3
    again = stage.fold(workload, 1, 3)
    assert pairs(again.held_out) == pairs(folds[1].held_out)
    np.testing.assert_array_equal(again.item_start, folds[1].item_start)


def test_folds_of_recommend_keep_the_test_part_unseen():
    stage, workload = Recommend(), Workload(catalogue.get("whotracksme"), {"seed": 3, "factors": 4, "iterations": 1})
    learned, test = hold_out(workload.interactions().matrix, 0.2, seed=3)
    folds = [stage.fold(workload, number, 2) for number in range(2)]
    for fold in folds:
        assert pairs(fold.owned) | pairs(fold.held_out) == pairs(learned)
        assert not pairs(test) & (pairs(fold.owned) | pairs(fold.held_out))
    assert pairs(folds[0].held_out) != pairs(folds[1].held_out)
    assert (folds[0].items != folds[1].items).any(), "each learns from its own part"


def test_ndcg_of_als_is_scikit_learns(interactions):
    stage = Als()
    problem = stage.fold(als_workload(interactions), 0, 3)
    answer = answer_of(variants_of("als")["native"], problem)
    found = stage.quality(problem, answer)
    scores = answer.user_factors @ answer.item_factors.T
    expected = []
    for user in range(scores.shape[0]):
        relevant = problem.held_out[user].toarray().ravel() > 0
        free = problem.strengths[user].toarray().ravel() == 0
        if relevant.any():
            expected.append(ndcg_score([relevant[free]], [scores[user][free]], k=100))
    assert next(iter(found)) == "ndcg@100"
    assert found["ndcg@100"] == pytest.approx(np.mean(expected), abs=1e-6)
    assert found["recall@100"] == 1.0, "the catalogue has 60 items"
    shuffled = AlsAnswer(answer.user_factors[::-1], answer.item_factors, answer.losses)
    assert stage.quality(problem, shuffled)["ndcg@100"] < found["ndcg@100"] - 0.1


def test_folds_of_ratings_are_scikit_learns_and_together_the_stages_own():
    data = starred(40, 30, 500)
    given = {**RatingsStage.parameters, "seed": 7, "epochs": 3, "folds": 5}
    workload = SimpleNamespace(parameters=given, ratings=lambda: data)
    stage, native = RatingsStage(), variants_of("ratings")["native"]
    rmse, mae = [], []
    for number, (train, test) in enumerate(KFold(3, shuffle=True, random_state=7).split(np.arange(500))):
        problem = stage.fold(workload, number, 3)
        (split,) = problem.splits()
        np.testing.assert_array_equal(np.sort(split.train), train)
        np.testing.assert_array_equal(np.sort(split.test), test)
        answer = answer_of(native, problem)
        assert stage.error(problem, answer, stage.reference(problem)) < 1e-12
        errors = answer[test] - data.values[test]
        quality = stage.quality(problem, answer)
        assert quality == pytest.approx({"rmse": np.sqrt(np.mean(errors**2)), "mae": np.mean(np.abs(errors))})
        assert next(iter(quality)) == "rmse"
        rmse.append(quality["rmse"])
        mae.append(quality["mae"])
    given["folds"] = 3
    whole = stage.problem(workload)
    quality = stage.quality(whole, answer_of(native, whole))
    assert quality == pytest.approx({"rmse": np.mean(rmse), "mae": np.mean(mae)})
    assert stage.goal == "lowest"
