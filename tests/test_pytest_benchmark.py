"""``pytest bench/suite``: the cases by pytest-benchmark, judged by technobench; what it writes is read back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from technobench.bench.pytest_benchmark_json import from_json
from technobench.pipeline.row import Status

ROOT = Path(__file__).resolve().parent.parent
QUICK = ("--benchmark-max-time=0.02", "--benchmark-min-rounds=3", "--technobench-param=trees=8")
RIGHT = ("xgboost", "batched-sparse")
OTHERS = ("off-by-a-little", "right-then-wrong", "lies-about-its-device", "needs-a-unicorn", "raises", "linear")


@pytest.fixture(scope="module")
def suite(planted_path):
    """Run the suite, with the planted variants among the others, in a folder of its own."""

    # pytest-benchmark writes no file in a worker of xdist, and tells one by its environment.
    outside_of_xdist = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}

    def run(folder, *arguments, **environment):
        command = [sys.executable, "-m", "pytest", ROOT / "bench" / "suite", "-p", "no:cacheprovider"]
        return subprocess.run(
            [*command, *QUICK, *arguments],
            cwd=folder,
            env={**outside_of_xdist, "PYTHONPATH": planted_path, **environment},
            capture_output=True,
            text=True,
            timeout=200,
        )

    return run


@pytest.fixture(scope="module")
def first(suite, tmp_path_factory):
    """One run of right, wrong, missing and slow variants, saved by pytest-benchmark and written as JSON."""
    folder = tmp_path_factory.mktemp("suite")
    chosen = "predict and (" + " or ".join([*RIGHT, *OTHERS]) + ")"
    done = suite(folder, "-k", chosen, "--technobench-budget=2", "--benchmark-json=run.json", "--benchmark-save=first")
    assert (folder / "run.json").exists(), done.stdout + done.stderr
    return folder, done


def test_a_right_answer_is_a_benchmark_with_its_row(first):
    folder, done = first
    assert done.returncode == 1, done.stdout
    found = {each["name"]: each for each in json.loads((folder / "run.json").read_text())["benchmarks"]}
    assert found.keys() == {f"test_case[predict/{name} whotracksme@1]" for name in RIGHT}
    benchmark = found["test_case[predict/xgboost whotracksme@1]"]
    assert benchmark["group"] == "predict whotracksme@1"
    assert benchmark["params"] | {"parameters": {}} == {
        "stage": "predict",
        "variant": "xgboost",
        "dataset": "whotracksme",
        "scale": 1.0,
        "parameters": {},
    }
    assert benchmark["options"]["disable_gc"]
    row = next(row for row in from_json(folder / "run.json")[0] if row.variant == "xgboost")
    assert (row.status, row.executed, row.device) == (Status.OK, "predict/xgboost@cpu", "cpu")
    assert row.seconds == benchmark["stats"]["data"]
    assert len(row.seconds) >= 3
    assert row.cpu_seconds is None, "the fixture does not take it"
    assert 0 <= row.error <= row.tolerance
    assert row.sizes["records"] == 1224 and row.parameters["trees"] == 8
    assert row.peak_bytes > row.resident_bytes > 2**20 or row.peak_bytes == row.resident_bytes
    assert row.setup_seconds > 0 and row.warmup_seconds > 0
    assert row.versions["python"] and row.host["cores"] and row.problem_digest
    assert row.thread_settings["OMP_NUM_THREADS"] == str(row.threads)
    assert row.command.startswith("pytest ") and "--technobench-budget=2" in row.command
    assert not row.interrupted


def test_what_is_not_right_has_no_time_and_says_why(first):
    folder, done = first
    rows = {row.variant: row for row in from_json(folder / "run.json")[0] if row.variant != "xgboost-cuda"}
    assert rows.keys() == {*RIGHT, *OTHERS}
    expected = {
        "off-by-a-little": (Status.MISMATCH, "off by 0.0"),
        "right-then-wrong": (Status.MISMATCH, "off by"),
        "lies-about-its-device": (Status.FELL_BACK, "asked for cuda, the work was done on cpu"),
        "raises": (Status.FAILED, "ValueError: a reason to fail"),
        "needs-a-unicorn": (Status.UNAVAILABLE, "no unicorn here"),
        "linear": (Status.EXTRAPOLATED, "do not fit --technobench-budget 2"),
    }
    failures, _, summary = done.stdout.partition("short test summary info")
    for variant, (status, reason) in expected.items():
        assert rows[variant].status is status
        assert reason in rows[variant].reason
        (line,) = [line for line in summary.splitlines() if f"predict/{variant} " in line]
        skipped = status in {Status.UNAVAILABLE, Status.EXTRAPOLATED}
        assert line.startswith("SKIPPED" if skipped else "FAILED")
        assert f"{status}: {rows[variant].reason}" in (line if skipped else failures)
    assert "Warning" not in failures
    table = done.stdout.partition("- benchmark ")[2].partition("Legend")[0]
    assert "predict/xgboost " in table
    assert "right-then-wrong" not in table, "it was timed before it was found to be wrong"


def test_compare_fail_works_on_what_was_saved(first, suite, tmp_path):
    """Against a saved run in which one case was far faster than it is, and the other far slower."""
    (saved,) = (first[0] / ".benchmarks").rglob("*_first.json")
    run = json.loads(saved.read_text())
    for benchmark in run["benchmarks"]:
        benchmark["stats"]["mean"] *= 1e-3 if "/xgboost " in benchmark["name"] else 1e3
    path = tmp_path / ".benchmarks" / saved.parent.name / saved.name
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(run))
    chosen = "predict/xgboost and not cuda or predict/batched"
    done = suite(tmp_path, "-k", chosen, "--benchmark-compare", "--benchmark-compare-fail=mean:5%")
    told = done.stdout + done.stderr
    assert done.returncode == 1 and "FAILED" not in told, told
    regressed = [line for line in told.splitlines() if "Field 'mean' has failed" in line]
    assert len(regressed) == 1 and "predict/xgboost whotracksme@1" in regressed[0]


def test_a_requirement_that_is_not_met_fails(suite, tmp_path):
    done = suite(tmp_path, "-k", "needs-a-unicorn", TECHNOBENCH_REQUIRE="cuda")
    assert done.returncode == 1
    assert "TECHNOBENCH_REQUIRE=cuda is not met: no unicorn here" in done.stdout


def test_what_cannot_be_chosen_is_a_usage_error(suite, tmp_path):
    done = suite(tmp_path, "--technobench-param=leaves=8")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: no parameter 'leaves'; there are: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_suite_runs_only_where_it_is_named():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "bench"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout
