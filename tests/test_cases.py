"""Which cases a selection gives."""

import pytest
from technobench.bench.cases import fitting, groups, matches, parameters_of
from technobench.pipeline import registry
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


def test_a_parameter_with_several_values_is_a_group_for_each():
    found = list(groups(["shap", "ratings"], [], ["planted-ratings"], [1.0], None, {"model": ["svd", "nmf", "svd"]}))
    assert [(group.stage, group.parameters.get("model")) for group in found] == [
        ("shap", None),
        ("ratings", "svd"),
        ("ratings", "nmf"),
    ]
    assert found[2].case_name(found[2].variants[0]).endswith("planted-ratings@1 model=nmf")
    only = list(groups(["als", "ratings"], [], ["planted-ratings"], [1.0], "model=nmf", {"model": ["svd", "nmf"]}))
    assert [group.parameters["model"] for group in only] == ["nmf"]


def selection(stages, datasets):
    return list(groups(stages, [], datasets, [1.0], None, {}))


RECORD_STAGES = ["matrix_build", "features", "predict", "shap", "pipeline"]


def test_stages_are_measured_on_the_kinds_of_datasets_that_they_take():
    left, lines = fitting(selection(RECORD_STAGES, ["planted", "whotracksme"]), [])
    assert left == selection(RECORD_STAGES, ["whotracksme"])
    assert "not measured: stage shap needs records, dataset planted has interactions" in lines
    assert len(lines) == len(left), "each stage of records, once"
    assert fitting(selection(RECORD_STAGES, ["whotracksme"]), []) == (left, [])
    every, _ = fitting(selection([], ["planted", "planted-ratings", "whotracksme"]), [])
    assert {group.dataset for group in every if group.stage == "als"} == {"planted", "planted-ratings", "whotracksme"}
    assert {group.dataset for group in every if group.stage == "ratings"} == {"planted-ratings"}


def test_a_line_stands_for_all_scales():
    many = list(groups(["predict"], [], ["planted", "seed"], [0.1, 0.2], None, {}))
    left, lines = fitting(many, ["predict"])
    assert (len(many), len(left), len(lines)) == (4, 2, 1)


def test_what_was_asked_for_and_does_not_fit_is_an_error():
    with pytest.raises(InputError, match="stage predict needs records, dataset ml-1m has ratings"):
        fitting(selection(["predict"], ["ml-1m"]), ["predict"])
    with pytest.raises(InputError, match="dataset planted has interactions"):
        fitting(selection(RECORD_STAGES, ["planted"]), [])
    with pytest.raises(InputError, match="no dataset 'absent'"):
        fitting(selection([], ["absent"]), [])


def test_a_stage_that_was_asked_for_and_fits_nothing_is_an_error(monkeypatch):
    monkeypatch.setattr(type(registry.stages()["predict"]), "kinds", ("ratings",))
    chosen = selection(["predict", "shap"], ["whotracksme"])
    with pytest.raises(InputError, match="stage predict needs ratings, dataset whotracksme has records"):
        fitting(chosen, ["predict", "shap"])
    left, lines = fitting(chosen, [])
    assert [group.stage for group in left] == ["shap"] and len(lines) == 1
    left, lines = fitting(selection(["predict", "shap"], ["whotracksme", "planted-ratings"]), ["predict", "shap"])
    assert [(group.stage, group.dataset) for group in left] == [("shap", "whotracksme"), ("predict", "planted-ratings")]


def test_parameters_take_the_type_of_their_default():
    assert parameters_of("predict", {"trees": "7", "learning_rate": "0.5"})["trees"] == 7
    with pytest.raises(InputError, match="must be of type int"):
        parameters_of("predict", {"trees": "many"})
