"""Backfill: commits are measured with their own code, once, and those that do not build are told and passed over."""

import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from technobench.bench import host, store
from technobench.bench.backfill import Selection, measured
from technobench.bench.commands import backfill as command
from technobench.bench.history import history
from technobench.bench.launches import Arm
from technobench.pipeline.errors import InputError
from technobench.pipeline.row import Status, encode

from .test_history import git, row

ROOT = Path(__file__).resolve().parent.parent
SELECTION = Selection("multi-label", ("matrix_build",), ("whotracksme",), "batched-sparse", 2, 5.0)


def _commit(folder) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--allow-empty", "-m", "change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Twelve empty commits, the current folder; the first one is tagged."""
    git(tmp_path, "init", "-b", "main")
    made = [_commit(tmp_path) for _ in range(12)]
    git(tmp_path, "tag", "first", made[0])
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def pretend(monkeypatch):
    """Commits are 'measured' at once, but for those that are put in ``failing``; gives what was measured."""
    asked, failing = [], {}

    def rows(arm, selection, run_id, command):
        if arm.revision in failing:
            raise failing.pop(arm.revision)
        asked.append(arm.revision)
        return [row(commit=arm.revision, run_id=run_id, command=command, host=host.fingerprint())]

    monkeypatch.setattr(command, "arm", lambda repository, name, commit, lock, say: Arm(name, Path("-"), None, commit))
    monkeypatch.setattr(command, "measured", rows)
    return asked, failing


def _backfill(*arguments):
    return CliRunner().invoke(command.backfill, arguments)


ONE_STAGE = ("--stage", "predict")


def test_each_so_many_th_commit_is_measured_and_always_the_last(repository, pretend):
    done = _backfill("first..main", "--every", "5", "--this-environment", "--stage", "predict")
    assert done.exit_code == 0, done.output
    assert sorted(pretend[0]) == sorted(repository[i] for i in (1, 6, 11))
    rows, _ = store.all_rows(Path("results"))
    assert {each.commit for each in rows} == set(pretend[0])
    rest = "--stage predict --this-environment"
    assert all(each.command == f"technobench backfill {each.commit}^..{each.commit} {rest}" for each in rows)


def test_the_same_command_passes_over_what_is_measured_and_another_does_not(repository, pretend):
    assert _backfill("first..main", *ONE_STAGE, "--every", "5", "--rounds", "3").exit_code == 0
    assert _backfill("first..main", *ONE_STAGE, "--rounds", "3").exit_code == 0
    assert sorted(pretend[0]) == sorted(repository[1:])
    planned = _backfill("first..main", *ONE_STAGE, "--rounds", "3", "--dry-run").output
    assert planned.count("  measured\n") == 11
    other = _backfill("first..main", *ONE_STAGE, "--rounds", "4", "--dry-run").output
    assert other.splitlines() == [f"{commit[:12]}  to measure" for commit in repository[1:]]


def test_another_class_of_host_is_measured_again(repository, pretend, monkeypatch):
    assert _backfill("first..main").exit_code == 0
    monkeypatch.setattr(host, "fingerprint", lambda: {"cpu": "another"})
    assert "  measured\n" not in _backfill("first..main", "--dry-run").output


def test_a_commit_that_does_not_build_is_told_and_passed_over_and_tried_again(repository, pretend):
    pretend[1][repository[4]] = InputError("pip: no such thing")
    done = _backfill("first..main")
    assert done.exit_code == command.NOT_ALL_MEASURED
    assert f"{repository[4][:12]}  not measured: pip: no such thing" in done.output
    assert sorted(pretend[0]) == sorted({*repository[1:]} - {repository[4]})
    assert _backfill("first..main").exit_code == 0
    assert pretend[0][-1] == repository[4]


def test_an_interrupt_loses_the_commit_in_flight_at_most(repository, pretend):
    pretend[1][repository[4]] = KeyboardInterrupt()
    assert _backfill("first..main").exit_code != 0
    before = list(pretend[0])
    assert {each.commit for each in store.all_rows(Path("results"))[0]} == set(before)
    assert _backfill("first..main").exit_code == 0
    assert sorted(pretend[0]) == sorted(repository[1:])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["main"], "write it as FIRST..LAST"),
        (["first...main"], "write it as FIRST..LAST"),
        (["first.."], "write it as FIRST..LAST"),
        (["first..nowhere"], "'nowhere' is no revision"),
        (["main..first"], "no commit is in this range"),
        (["first..main", "--stage", "nonsense"], "no stage 'nonsense'"),
        (["first..main", "-k", "matchesnothing"], "the selection is empty"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_built(repository, arguments, said):
    done = _backfill(*arguments)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


def _revision(folder, script) -> Arm:
    """One whose interpreter is a script for the shell."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return Arm("pretended", python, None, "c" * 40)


LISTS = 'case "$3" in list) echo \'[{"stage": "matrix_build", "variant": "multi-label"}]\'; exit 0;; esac; '


def test_a_revision_without_the_stage_has_no_rows(tmp_path):
    listed = """echo '[{"stage": "shap", "variant": "native"}]'"""
    assert measured(_revision(tmp_path, listed), SELECTION, "run", "command") == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo Traceback: no such library >&2; exit 1", "technobench list: Traceback: no such library"),
        (LISTS + "echo broken >&2; exit 1", "technobench run: broken"),
        (LISTS + "echo '{}'", "its rows are not as they are today"),
        (LISTS + "exit 0", "technobench run: exit status 0"),
        (LISTS + "cat row; echo Traceback >&2; exit 1", "technobench run: Traceback"),
        (LISTS + "cat row; kill -9 $$", "technobench run: exit status -9"),
    ],
)
def test_a_revision_that_ends_otherwise_than_well_says_why_and_keeps_no_row(tmp_path, script, said):
    (tmp_path / "row").write_bytes(encode(row()) + b"\n")
    with pytest.raises(InputError, match=said):
        measured(_revision(tmp_path, script.replace("cat row", f"cat {tmp_path / 'row'}")), SELECTION, "run", "command")


def test_rows_get_the_commit_and_a_failed_case_is_a_row(tmp_path):
    (tmp_path / "row").write_bytes(encode(row(commit=None, dirty=None, status=Status.FAILED)) + b"\n")
    script = LISTS + f"echo $@ > {tmp_path / 'asked'}; cat {tmp_path / 'row'}; exit 1"
    (found,) = measured(_revision(tmp_path, script), SELECTION, "run-7", "technobench backfill")
    told = (found.commit, found.dirty, found.run_id, found.command)
    assert told == ("c" * 40, False, "run-7", "technobench backfill")
    assert "--stage matrix_build --dataset whotracksme -k (multi-label) or /batched-sparse" in (
        (tmp_path / "asked").read_text()
    )


def test_an_interrupt_ends_the_run_of_the_revision_too(tmp_path):
    def interrupt(number, frame):
        raise KeyboardInterrupt

    pid = tmp_path / "pid"
    arm = _revision(tmp_path, LISTS + f"echo $$ > {pid}; exec sleep 100")
    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        with pytest.raises(KeyboardInterrupt):
            measured(arm, SELECTION, "run", "command")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert not psutil.pid_exists(int(pid.read_text()))


@pytest.fixture
def own_history(tmp_path):
    """This checkout's files as a repository of three commits: as they are, one variant slower, one that builds not."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        if name.startswith(("pipeline/", "cpu_pipeline/", "gpu_pipeline/", "bench/")) or "/" not in name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    git(tmp_path, "init", "-b", "main")
    commits = [_commit(tmp_path) for _ in range(2)]
    file = tmp_path / "cpu_pipeline" / "matrix_build.py"
    line = "        matrix = binarizer.fit_transform(_distinct_names(problem))\n"
    assert line in file.read_text()
    file.write_text(file.read_text().replace(line, line * 4))
    commits.append(_commit(tmp_path))
    (tmp_path / "pyproject.toml").write_text("this is no TOML")
    return [*commits, _commit(tmp_path)]


def test_a_planted_slow_down_is_in_the_history_and_a_broken_commit_is_passed_over(
    technobench, own_history, tmp_path, monkeypatch
):
    _, before, slower, broken = own_history
    monkeypatch.chdir(tmp_path)
    arguments = [f"{own_history[0]}..main", "--stage", "matrix_build", "-k", "multi-label", "--rounds", "5"]
    done = technobench("backfill", *arguments, "--this-environment")
    assert done.code == command.NOT_ALL_MEASURED, done.err
    assert f"{broken[:12]}  not measured:" in done.err
    rows, _ = store.all_rows(Path("results"))
    assert {each.commit for each in rows} == {before, slower}
    found = history(rows, [before, slower], "batched-sparse")
    (series,) = found.series
    ratios = [point.ratio.median for point in series.points]
    assert ratios[1] < 0.6 * ratios[0]
    planned = _backfill(*arguments, "--this-environment", "--dry-run").stdout.splitlines()
    assert [line.split("  ")[1] for line in planned] == ["measured", "measured", "to measure"]
