"""Which cases a selection gives."""

import pytest
from technobench.bench.cases import groups, matches, parameters_of
from technobench.pipeline.errors import InputError


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("shap", True),
        ("SHAP", True),
        ("predict", False),
        ("not predict", True),
        ("shap and naive", True),
        ("shap and not naive", False),
        ("predict or seed@1", True),
        ("predict or shap and not naive", False),
        ("(predict or shap) and naive", True),
        ("not (predict or naive)", False),
        ("not not shap", True),
    ],
)
def test_expressions(expression, expected):
    assert matches(expression, "shap/naive seed@1") is expected


@pytest.mark.parametrize("expression", ["", "and", "shap and", "(shap", "shap)", "shap naive", "not", "()"])
def test_malformed_expressions_are_refused(expression):
    with pytest.raises(InputError):
        matches(expression, "shap/naive seed@1")


def test_groups_are_one_per_stage_dataset_and_scale():
    found = list(groups(["shap", "predict"], [], ["seed", "whotracksme"], [1.0, 2.0], None, {}))
    assert len(found) == 6, "scales are for the datasets that have them"
    assert [group.stage for group in found[:2]] == ["predict", "shap"]
    assert {variant.name for variant in found[0].variants} >= {"naive", "batched-sparse", "xgboost-cuda"}


def test_parameters_take_the_type_of_their_default():
    assert parameters_of("predict", {"trees": "7", "learning_rate": "0.5"})["trees"] == 7
    with pytest.raises(InputError, match="must be of type int"):
        parameters_of("predict", {"trees": "many"})
