"""The harness end to end: every way a variant can go wrong is a row that says so."""

import json
import signal
import time

import numpy as np
import pytest

from .conftest import SMALL
from .variants import variants_of

RUN = ("run", "--stage", "predict", "--json", "-", "--rounds", "3", "--budget", "3", *SMALL)


@pytest.fixture
def planted(technobench, planted_path):
    return lambda *arguments: technobench(*RUN, *arguments, path=planted_path)


def test_ok_rows_carry_what_a_reader_needs(planted):
    done = planted("--variant", "batched-sparse", "--variant", "xgboost")
    assert done.code == 0
    assert len(done.rows) == 2
    for row in done.rows:
        assert row["status"] == "ok"
        assert row["reason"] is None
        assert row["executed"] == f"predict/{row['variant']}@cpu"
        assert len(row["seconds"]) == len(row["cpu_seconds"]) == 3
        assert all(seconds > 0 for seconds in row["seconds"])
        assert 0 <= row["error"] <= row["tolerance"]
        assert row["setup_seconds"] > 0
        assert row["fetch_seconds"] >= 0
        assert row["peak_bytes"] >= row["resident_bytes"] > 2**20
        assert row["sizes"]["records"] == 1224
        assert row["parameters"]["trees"] == 8
        assert row["versions"]["python"]
        assert row["thread_settings"]["OMP_NUM_THREADS"] == str(row["threads"])
        assert row["monitored"]["samples"] >= 1
        assert row["monitored"]["cost_share"] < 0.2
        assert row["command"].startswith("technobench run --stage predict")
    assert len({row["problem_digest"] for row in done.rows}) == 1
    assert len({row["run_id"] for row in done.rows}) == 1


def test_a_wrong_answer_is_a_mismatch(planted):
    wrong = ("off-by-a-little", "turns-nan", "too-short", "right-then-wrong")
    done = planted(*(word for name in wrong for word in ("--variant", name)))
    assert done.code == 1
    for variant in wrong:
        assert done.row(variant)["status"] == "mismatch"
        assert "tolerance" in done.row(variant)["reason"]


def test_a_lie_about_the_device_is_a_fallback(planted):
    row = planted("--variant", "lies-about-its-device").row("lies-about-its-device")
    assert row["status"] == "fell-back"
    assert row["executed"] == "predict/lies-about-its-device@cpu"
    assert row["reason"] == "asked for cuda, the work was done on cpu"


def test_an_unmet_need_is_unavailable_and_has_no_time(planted):
    done = planted("--variant", "needs-a-unicorn")
    row = done.row("needs-a-unicorn")
    assert (row["status"], row["reason"]) == ("unavailable", "no unicorn here")
    assert row["executed"] is row["seconds"] is row["setup_seconds"] is row["peak_bytes"] is row["error"] is None


def test_a_problem_that_a_variant_does_not_do_is_unavailable_and_no_failure(planted):
    done = planted("--variant", "refuses", "--variant", "xgboost")
    assert done.code == 0
    row = done.row("refuses")
    assert (row["status"], row["reason"]) == ("unavailable", "trees of oak are not supported; plant others")
    assert row["executed"] is row["seconds"] is row["setup_seconds"] is row["error"] is None
    assert done.row("xgboost")["status"] == "ok"


@pytest.mark.parametrize("asked", ["refuses", "needs-a-unicorn"])
def test_what_stands_in_may_not_do_the_problem_either(planted, asked):
    row = planted("--variant", asked, "--fallback", "refuses").row(asked)
    assert row["status"] == "unavailable"
    assert "nor can 'refuses' stand in: trees of oak" in row["reason"]


def test_another_stands_in_for_what_does_not_do_the_problem(planted):
    row = planted("--variant", "refuses", "--fallback", "xgboost").row("refuses")
    assert (row["status"], row["executed"]) == ("fell-back", "predict/xgboost@cpu")
    assert row["reason"] == "'xgboost' stood in: trees of oak are not supported; plant others"
    assert row["seconds"]


def test_a_fallback_asked_for_runs_and_shows(planted):
    row = planted("--variant", "needs-a-unicorn", "--fallback", "xgboost").row("needs-a-unicorn")
    assert row["status"] == "fell-back"
    assert row["executed"] == "predict/xgboost@cpu"
    assert "no unicorn here" in row["reason"]
    assert row["seconds"]


def test_one_failure_is_not_the_end_of_the_run(planted):
    names = ("raises", "is-killed", "prints", "xgboost")
    done = planted(*(word for name in names for word in ("--variant", name)))
    assert done.code == 1
    assert done.row("raises")["status"] == "failed"
    assert done.row("raises")["reason"] == "ValueError: a reason to fail"
    assert done.row("is-killed")["status"] == "failed"
    assert "SIGKILL" in done.row("is-killed")["reason"]
    assert done.row("prints")["status"] == done.row("xgboost")["status"] == "ok"


def test_a_hanging_variant_times_out(planted):
    planted("--variant", "naive", "--budget", "0.1")  # makes the inputs, which is not to hit the time-out
    row = planted("--variant", "hangs", "--timeout", "6").row("hangs")
    assert row["status"] == "failed"
    assert row["reason"].startswith("time-out")
    assert row["seconds"] is None


def test_what_is_too_slow_is_extrapolated_and_labelled(planted):
    row = planted("--variant", "linear", "--budget", "0.5").row("linear")
    assert row["status"] == "extrapolated"
    assert row["seconds"] is None
    fitted = row["extrapolation"]
    assert fitted["grows_with"] == ["records"]
    assert fitted["low"] <= fitted["seconds"] <= fitted["high"]
    assert all(records < 1224 and seconds >= 2e-3 * records for _, records, seconds in fitted["points"])
    # Not of the times themselves, which are this machine's mood, but of what was made of them.
    largest = sorted({size for size, _, _ in fitted["points"]})[-4:]
    x, y = np.log([(size, taken) for size, _, taken in fitted["points"] if size in largest]).T
    slope, start = np.polyfit(x, y, 1)
    assert fitted["exponent"] == pytest.approx(slope)
    assert fitted["seconds"] == pytest.approx(np.exp(start + slope * np.log(1224)))


def test_what_compiles_at_some_size_is_not_too_slow_for_that(planted):
    row = planted("--variant", "compiles-late", "--budget", "0.5").row("compiles-late")
    assert row["status"] == "ok", row["reason"]
    assert max(row["seconds"]) < 2


def test_an_answer_that_is_remembered_is_an_alert(planted):
    row = planted("--variant", "remembers").row("remembers")
    assert any("is an answer remembered?" in alert for alert in row["alerts"])


def test_a_wrong_stand_in_is_a_mismatch(planted):
    done = planted("--variant", "needs-a-unicorn", "--fallback", "off-by-a-little")
    row = done.row("needs-a-unicorn")
    assert row["status"] == "mismatch"
    assert "no unicorn here" in row["reason"]
    assert done.code == 1


def test_memory_of_fetching_and_checking_is_not_of_the_runs_after_it(planted):
    done = planted("--variant", "leaves-crumbs", "--variant", "xgboost")
    assert done.row("leaves-crumbs")["peak_bytes"] < done.row("xgboost")["peak_bytes"] + 100 * 2**20


def test_memory_of_children_counts_and_they_end_with_the_case(planted):
    import psutil

    row = planted("--variant", "leaves-a-child").row("leaves-a-child")
    assert row["peak_bytes"] > 300 * 2**20
    left = [each for each in psutil.process_iter(["cmdline"]) if "a child left by a test" in str(each.info["cmdline"])]
    assert not left


def test_memory_above_the_limit_is_an_alert(planted):
    row = planted("--variant", "xgboost", "--max-rss", "1MiB").row("xgboost")
    assert row["status"] == "ok"
    assert any("above the limit" in alert for alert in row["alerts"])


def test_bytes_that_are_copied_are_told_by_who_counts_them(planted):
    done = planted("--variant", "counts-its-copies", "--variant", "refuses")
    assert done.row("counts-its-copies")["transferred_bytes"] == {"to device": 12, "to host": 4}
    assert done.row("refuses")["transferred_bytes"] is None


def test_require_cuda_fails_where_there_is_none(planted):
    done = planted("--variant", "needs-a-unicorn", "--variant", "xgboost", "--require", "cuda")
    assert done.code == 4
    assert "--require cuda is not met" in done.err
    assert done.row("needs-a-unicorn")["status"] == "unavailable"


def test_require_cuda_is_not_met_by_a_fallback(planted):
    assert planted("--variant", "lies-about-its-device", "--require", "cuda").code == 4


def test_without_a_label_the_rows_say_so(technobench, tmp_path):
    (tmp_path / "mine.csv").write_text("id,technologies\n" + "".join(f"{i},a|b{i % 3}\n" for i in range(40)))
    added = technobench(
        "data", "add", "mine.csv", "--name", "unlabelled", "--technologies", "technologies", "--id", "id"
    )
    assert added.code == 0, added.err
    done = technobench(*RUN, "--dataset", "unlabelled", "--variant", "xgboost")
    assert done.code == 1
    assert "no label" in done.row("xgboost")["reason"]


def _files(tmp_path):
    return list((tmp_path / "results").glob("*.jsonl")) if (tmp_path / "results").is_dir() else []


@pytest.mark.parametrize("after", [0.3, 2.0, 4.0])
def test_sigkill_leaves_a_readable_file_and_no_worker(start, technobench, tmp_path, after):
    import psutil

    process = start("run", "--budget", "2", *SMALL)
    time.sleep(after)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    for path in _files(tmp_path):
        lines = path.read_text().splitlines()
        assert all(json.loads(line)["stage"] for line in lines)
        assert not lines or technobench("show", path.stem).code == 0


def test_an_interrupted_run_goes_on(start, technobench, tmp_path):
    process = start("run", "--stage", "predict", "--stage", "features", "--rounds", "3", "--budget", "20", *SMALL)
    deadline = time.monotonic() + 100
    while not any(path.stat().st_size for path in _files(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    (path,) = _files(tmp_path)
    before = path.read_text().splitlines()
    done = technobench("run", "--resume")
    assert done.code == 0, done.err
    after = path.read_text().splitlines()
    assert after[: len(before)] == before
    rows = [json.loads(line) for line in after]
    finished = [(row["stage"], row["variant"]) for row in rows if not row["interrupted"]]
    expected = {(stage, name) for stage in ("predict", "features") for name in variants_of(stage)}
    assert len(finished) == len(set(finished)) and set(finished) == expected
    assert {(row["stage"], row["variant"]) for row in rows} == set(finished)
    assert {row["run_id"] for row in rows} == {path.stem}
    assert technobench("run", "--resume", path.stem).code == 0
    assert path.read_text().splitlines() == after


def test_a_kill_between_rounds_loses_the_round_not_the_row(start, technobench, planted_path, tmp_path):
    """Its last answer is not graded, so the row is not ok, and a resumed run measures the case again."""
    arguments = ("--variant", "linear", "--rounds", "3", "--budget", "60", *SMALL)
    process = start("run", "--stage", "predict", *arguments, path=planted_path)
    results = tmp_path / "results"
    deadline = time.monotonic() + 100
    while not list(results.glob(".*.in-flight")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    shown = technobench("show")
    assert "unverified" in shown.out
    assert "interrupted after 1 rounds" in shown.out
    resumed = start("run", "--resume", path=planted_path)
    resumed.communicate(timeout=100)
    assert resumed.returncode == 0
    (path,) = results.glob("*.jsonl")
    before, after = (json.loads(line) for line in path.read_text().splitlines())
    assert (before["status"], before["interrupted"], len(before["seconds"])) == ("unverified", True, 1)
    assert (after["status"], after["interrupted"], len(after["seconds"])) == ("ok", False, 3)
    assert before["session"] != after["session"]
    shown = technobench("show")
    assert "unverified" not in shown.out


def test_two_runs_at_once_do_not_damage_each_other(start, tmp_path):
    both = [start("run", "--stage", "predict", "--budget", "1", "--rounds", "3", *SMALL) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
    runs = [[json.loads(line) for line in path.read_text().splitlines()] for path in _files(tmp_path)]
    assert list(map(len, runs)) == [len(variants_of("predict"))] * 2
    alerts = [any("another run was measuring" in alert for alert in run[0]["alerts"]) for run in runs]
    assert any(alerts)
