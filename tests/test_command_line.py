"""The command line: what is refused, how it is said, and what is printed where."""

import json

import pytest

from .conftest import SMALL


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--stage", "nonsense"], "no stage 'nonsense'; there are: matrix_build, features"),
        (["run", "--variant", "nonsense"], "no variant 'nonsense'; there are: naive"),
        (["run", "--dataset", "nonsense"], "no dataset 'nonsense'; there are: "),
        (["run", "--dataset", "../../etc"], "use lower-case letters"),
        (["run", "-k", "shap and"], "a name is missing"),
        (["run", "-k", "(shap"], "a closing parenthesis is missing"),
        (["run", "-k", "shap naive"], "join names by 'and' or 'or'"),
        (["run", "-k", "matchesnothing"], "the selection is empty"),
        (["run", "--scale", "2"], "whotracksme' comes at --scale 1 only"),
        (["run", "--scale", "-1", "--dataset", "seed"], "must be above 0"),
        (["run", "--param", "colour=red"], "no parameter 'colour'; there are: alpha, barred, batch_records"),
        (["run", "--param", "seed=red"], "parameter seed=red: must be of type int"),
        (["run", "--param", "seed"], "write it as NAME=VALUE"),
        (["run", "--max-rss", "lots"], "is no size"),
        (["run", "--budget", "0"], "budget"),
        (["run", "--rounds", "0"], "rounds"),
        (["run", "--fallback", "nonsense", "--stage", "predict"], "--fallback nonsense: no such variant"),
        (["run", "--param", "batch_records=0"], "must be above 0"),
        (["run", "--scale", "inf", "--dataset", "seed"], "must be above 0 and finite"),
        (["run", "--max-rss", "1.2.3MB"], "is no size"),
        (["run", "--resume", "--stage", "shap"], "leave out stages"),
        (["show", "/etc/passwd"], "holds no row"),
        (["run", "--json", "/nonexistent/rows.jsonl", "--stage", "predict"], "cannot be written"),
        (["run", "--resume"], "no runs yet"),
        (["show"], "no runs yet"),
        (["show", "nonsense"], "no run 'nonsense'"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(technobench, arguments, said):
    done = technobench(*arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_results_that_cannot_be_written_are_refused_before_measuring(technobench, tmp_path):
    (tmp_path / "results").write_text("a file, not a folder")
    done = technobench("run", "--stage", "predict", *SMALL)
    assert done.code == 2
    assert "cannot be written" in done.err


def test_a_refused_run_leaves_the_json_file_alone(technobench, tmp_path):
    (tmp_path / "keep.jsonl").write_text("precious")
    assert technobench("run", "--dataset", "nonsense", "--json", "keep.jsonl").code == 2
    assert (tmp_path / "keep.jsonl").read_text() == "precious"


def test_help_shows_its_examples_line_by_line(technobench):
    out = technobench("run", "--help").out
    assert out.count("\n  technobench run --dataset") == 3
    assert "\\b" not in out + technobench("data", "add", "--help").out


STAGES = {"matrix_build", "features", "predict", "shap", "pipeline", "als", "recommend", "ratings"}


def test_list_names_every_stage_and_variant(technobench):
    listed = json.loads(technobench("list", "--json").out)
    names = {(each["stage"], each["variant"]) for each in listed}
    assert {stage for stage, _ in names} == STAGES
    assert {(stage, variant) for stage in STAGES for variant in ("naive", "batched-sparse")} <= names
    assert {("matrix_build", "cudf"), ("predict", "xgboost-cuda"), ("shap", "xgboost-cuda")} <= names
    text = technobench("list").out
    assert all(variant in text for _, variant in names)


def test_doctor_says_what_would_not_run(technobench):
    done = technobench("doctor", "--json")
    found = json.loads(done.out)
    assert found["noise"]["median_seconds"] > 0
    assert found["versions"]["xgboost-cpu" if "xgboost-cpu" in found["versions"] else "xgboost"]
    if found["cuda_devices"] == 0:
        assert {"matrix_build/cudf", "predict/xgboost-cuda", "shap/xgboost-cuda"} <= set(found["unavailable"])
    told = technobench("doctor")
    assert told.code == 0
    assert ("technobench[peers]" in told.out) == any("[peers]" in why for why in found["unavailable"].values())


def test_dry_run_measures_nothing(technobench, tmp_path):
    done = technobench("run", "--dry-run", "-k", "shap")
    assert done.code == 0
    assert "shap/naive whotracksme@1" in done.out
    assert not (tmp_path / "results").exists()


def test_the_table_shows_status_reason_and_speed_up(technobench):
    assert technobench("run", "--stage", "predict", "--rounds", "3", "--budget", "2", *SMALL).code == 0
    shown = technobench("show")
    assert shown.code == 0
    for expected in ("batched-sparse", "vs naive", "set-up", "ok", "whotracksme at scale 1: 1,224 records"):
        assert expected in shown.out
    assert "repeat: technobench run --stage predict" in shown.out


def test_json_file_holds_the_rows_too(technobench, tmp_path):
    done = technobench("run", "-k", "predict/xgboost and not cuda", "--rounds", "2", "--json", "rows.jsonl", *SMALL)
    assert done.code == 0
    (row,) = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert row["variant"] == "xgboost"
    (kept,) = (tmp_path / "results").glob("*.jsonl")
    assert json.loads(kept.read_text()) == row
