"""The stages predict and shap with a user's own model of several outputs, dropped trees or categories."""

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.stages.predict import Predict
from technobench.pipeline.stages.shap import Shap

from .model_kinds import as_csr, trained, values
from .variants import answer_and_device, variants_of

KINDS = ["classes and parallel trees", "targets", "one class", "categories and dropped trees"]
CASES = [
    (stage, name, kind)
    for stage in (Predict(), Shap())
    for name, variant in sorted(variants_of(stage.name).items())
    if variant.device == "cpu" and ".peers." not in variant.prepare.__module__  # docs/peers.md: what each cannot
    for kind in KINDS
]


def problem_of(kind, records=70):
    dense = values(records, seed=4)
    dense[dense == 0] = np.nan  # a stage's matrix has no explicit zeros
    model = bytes(trained(kind).save_raw("ubj"))
    return ScoringProblem(as_csr(dense), tuple("abcde"), model, batch_records=32)


@pytest.mark.parametrize(("stage", "name", "kind"), CASES, ids=lambda value: getattr(value, "name", value))
def test_every_variant_is_right(stage, name, kind):
    problem = problem_of(kind)
    answer, _ = answer_and_device(variants_of(stage.name)[name], problem)
    assert getattr(answer, "values", answer).dtype == np.float32
    assert stage.error(problem, answer, stage.reference(problem)) <= 2e-6 < stage.tolerance


def test_vector_leaves_are_scored_and_explained():
    """By the variants that can: shap refuses them, XGBoost explains them since 3.4."""
    problem = problem_of("vector leaves")
    for stage, names in ((Predict(), ["naive", "batched-sparse", "xgboost", "native"]), (Shap(), ["native"])):
        for name in names:
            answer, _ = answer_and_device(variants_of(stage.name)[name], problem)
            assert stage.error(problem, answer, stage.reference(problem)) <= 2e-6


def test_errors_catch_exchanged_outputs_and_wrong_shapes():
    problem = problem_of("classes and parallel trees")
    predict, shap = Predict(), Shap()
    margins, explained = predict.reference(problem), shap.reference(problem)
    scores = margins.astype(np.float32)
    assert predict.error(problem, scores, margins) <= 1e-6
    assert predict.error(problem, scores[:, [1, 0, 2]], margins) > predict.tolerance
    assert predict.error(problem, scores[:, 0], margins) == np.inf
    right = answer_and_device(variants_of("shap")["native"], problem)[0].csr().toarray()
    by_output = right.reshape(70, 3, 6)
    for form in (np.asarray, sp.csr_matrix):
        assert shap.error(problem, form(right), explained) <= 1e-6
        assert shap.error(problem, form(by_output[:, [1, 0, 2]].reshape(70, -1)), explained) > shap.tolerance
        assert shap.error(problem, form(by_output.swapaxes(1, 2).reshape(70, -1)), explained) > shap.tolerance
        assert shap.error(problem, form(right[:, :6]), explained) == np.inf
    moved = by_output.copy()
    unchecked = np.setdiff1d(np.arange(70), explained.rows)[0]
    moved[unchecked, 0, 5] += 1e-3
    moved[unchecked, 1, 5] -= 1e-3  # the row as a whole adds up
    assert shap.error(problem, moved.reshape(70, -1), explained) > shap.tolerance
