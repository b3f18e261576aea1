"""The gate end to end: a small repository whose head is slower, bigger, wrong or elsewhere, and what is said of it."""

import json
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from technobench.bench.revisions import Repository
from technobench.pipeline.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
BUILT = ("LICENSE", "README.md", "pyproject.toml", "bench", "cpu_pipeline", "gpu_pipeline", "pipeline")
"""What a wheel is made of; there is no lock among it."""

VARIANTS = '''
"""Every variant does what the reference does, again and again."""

from dataclasses import replace

import numpy as np
import psutil

from ..pipeline.contract import Prepared, variant
from ..pipeline.stages.matrix_build import MatrixBuild

in_vocabulary = None  # others import it


def _prepared(problem, calls=4, more_memory=0.0, more_unseen=0, device="cpu"):
    more = int(more_memory * psutil.Process().memory_info().rss / 8)

    def run():
        np.ones(more)
        answer = [MatrixBuild().reference(problem) for _ in range(calls)][-1]
        return replace(answer, unseen=answer.unseen + more_unseen)

    return Prepared(run, ran_on=lambda: device)
'''
HEAD = {
    "naive": "more_memory=0.15",
    "batched_sparse": "more_unseen=1",
    "count_vectorizer": "calls=12",
    "native": 'device="cuda"',
}
"""What the head does that the base does not: 15 % more memory, wrong answers, three times the work, a false device."""

FEW = ("--alpha", "90%", "--max-slowdown", "100%")
"""Effects are far beyond noise, and three to five launches will do for them."""
GATE = ("gate", "--this-environment", "--stage", "matrix_build", *FEW, "--max-pairs", "25", "--threads", "1")


def git(folder, *arguments):
    named = ["-c", "user.name=tests", "-c", "user.email=tests@example.org"]
    done = subprocess.run(["git", "-C", folder, *named, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(folder, name, changes):
    """Commit the variants with these changes, and tag the commit."""
    text = VARIANTS.lstrip()
    for each in HEAD:
        prepared = f"_prepared(problem, {changes.get(each, '')})"
        text += f'\n\n@variant()\ndef {each}(problem):\n    """One of four."""\n    return {prepared}\n'
    (folder / "cpu_pipeline" / "matrix_build.py").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", name)
    git(folder, "tag", name)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """This checkout's packages with two commits of their own: ``before`` and ``after``."""
    tracked = subprocess.run(["git", "ls-files", "--", *BUILT], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    folder = tmp_path_factory.mktemp("repository")
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    committed(folder, "before", {})
    committed(folder, "after", HEAD)
    return folder


@pytest.fixture
def gate(technobench, repository, tmp_path):
    """Run the gate in the repository; its results lie in the test's own folder."""

    def run(*arguments):
        return technobench(*GATE, "--results", str(tmp_path), *arguments, cwd=repository)

    return run


def launches_in(folder):
    """Of whole lines; what comes after the last is torn, or being written."""
    texts = [path.read_text() for path in folder.glob("gate-*.jsonl")]
    return [json.loads(line) for text in texts for line in text.split("\n")[:-1]]


def test_wrong_answers_and_false_devices_are_invalid_and_memory_is_judged(gate, tmp_path, repository):
    chosen = [word for name in ("naive", "batched-sparse", "native") for word in ("--variant", name)]
    files = {kind: tmp_path / f"verdict.{kind}" for kind in ("json", "junit", "markdown")}
    written = [word for kind, path in files.items() for word in (f"--{kind}", str(path))]
    done = gate("--base", "before", "--head", "after", *chosen, *written)
    assert done.code == 4, done.err
    told = json.loads(files["json"].read_text())
    assert (told["verdict"], told["exit_code"]) == ("invalid", 4)
    assert (told["base"], told["head"]) == (
        git(repository, "rev-parse", "before"),
        git(repository, "rev-parse", "after"),
    )
    found = {case["name"].split()[0]: case for case in told["cases"]}
    assert {name: case["decision"] for name, case in found.items()} == {
        "matrix_build/naive": "regression",
        "matrix_build/batched-sparse": "invalid",
        "matrix_build/native": "invalid",
    }
    memory = {each["measure"]: each for each in found["matrix_build/naive"]["measures"]}["peak memory"]
    assert memory["decision"] == "regression"
    assert memory["ratio"] == pytest.approx(1.15, abs=0.04)
    assert found["matrix_build/batched-sparse"]["reason"].startswith("head: mismatch: the answer is off by")
    assert found["matrix_build/native"]["reason"] == "head: fell-back: asked for cpu, the work was done on cuda"
    assert found["matrix_build/batched-sparse"]["launches"] == found["matrix_build/native"]["launches"] == 1
    suite = ElementTree.parse(files["junit"]).getroot()
    assert [suite.get(name) for name in ("tests", "errors", "failures", "skipped")] == ["3", "2", "1", "0"]
    assert "⛔ invalid" in files["markdown"].read_text()
    for row in launches_in(tmp_path):
        assert set(row["arms"]) == {"base", "head", "again"}
        assert row["arms"]["again"]["revision"] == row["arms"]["base"]["revision"] == told["base"]
        assert row["arms"]["head"]["revision"] == told["head"]
    repeats = [line.partition("repeat: ")[2] for line in done.out.splitlines() if "repeat: " in line]
    assert len(repeats) == 3
    assert all(f"--base {told['base']} --head {told['head']}" in line for line in repeats)


def _interrupted(process, folder, number):
    """Send a signal once there is another launch."""
    before, deadline = len(launches_in(folder)), time.monotonic() + 150
    while len(launches_in(folder)) == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    return process.communicate(timeout=60)


def test_a_slow_down_is_a_regression_also_of_a_gate_that_was_killed_and_interrupted(
    start, technobench, repository, tmp_path
):
    results = ("--results", str(tmp_path))
    chosen = ("--base", "before", "--head", "after", "--variant", "count-vectorizer")
    _interrupted(start(*GATE, *results, *chosen, cwd=repository), tmp_path, signal.SIGKILL)
    (file,) = tmp_path.glob("gate-*.jsonl")
    killed = launches_in(tmp_path)
    assert len(killed) == 1
    with file.open("a") as torn:
        torn.write('{"gate_id": "torn by the ki')
    process = start("gate", "--resume", *results, cwd=repository)
    out, err = _interrupted(process, tmp_path, signal.SIGINT)
    assert process.returncode == 130, err
    assert "1 launches are there" in err
    assert "inconclusive: CPU time: too few launches" in out
    done = technobench("gate", "--resume", *results, cwd=repository)
    assert done.code == 1, done.err
    assert list(tmp_path.glob("gate-*.jsonl")) == [file]
    rows = launches_in(tmp_path)
    assert rows[0] == killed[0]
    assert [row["launch"] for row in rows] == list(range(len(rows)))
    assert {(row["gate_id"], row["variant"]) for row in rows} == {(file.stem, "count-vectorizer")}
    assert 4 <= len(rows) <= 5
    ratio = float(re.search(r"CPU time +([+-][0-9.]+) %", done.out)[1])
    assert 100 < ratio < 400
    assert "regression" in done.out
    again = technobench("gate", "--resume", file.stem, *results, cwd=repository)
    assert again.code == 1
    assert launches_in(tmp_path) == rows


def test_a_revision_against_itself_passes(gate):
    done = gate("--base", "before", "--head", "before", "--variant", "count-vectorizer", "--max-memory-growth", "50%")
    assert done.code == 0, done.out + done.err
    assert "pass" in done.out and "repeat:" not in done.out
    assert "this machine is not calibrated" in done.out


def test_cases_without_time_are_not_forgotten(gate, tmp_path):
    done = gate("--base", "before", "--head", "before", "--variant", "count-vectorizer", "--budget", "0s")
    assert done.code == 3
    assert (
        "matrix_build/count-vectorizer whotracksme@1 inconclusive: the budget was spent before its first launch"
        in done.out
    )
    assert not list(tmp_path.glob("gate-*.jsonl"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--head", "after"], "name what to compare with: a revision by --base"),
        (["--base", "no-such-branch"], "'no-such-branch' is no revision of"),
        (["--base", "before", "--head", "--upload-pack=x"], "is no revision of"),
        (["--base", "before", "--max-slowdown", "3"], "write it as 3%"),
        (["--base", "before", "--alpha", "0%"], "choose one above 0 % and below 100 %"),
        (["--base", "before", "--budget", "soon"], "write it as 90s, 10m or 1.5h"),
        (["--base", "before", "--variant", "nonsense"], "no variant 'nonsense'; there are"),
        (["--resume"], "--resume goes on with the gate's own options; leave out"),
    ],
)
def test_wrong_usage_is_a_sentence(gate, arguments, said):
    done = gate(*arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err and done.out == ""


def test_a_revision_without_the_lock_is_told(technobench, repository, tmp_path):
    arguments = ("--base", "before", "--head", "before", "--stage", "matrix_build", "--variant", "count-vectorizer")
    done = technobench("gate", *arguments, "--results", str(tmp_path), cwd=repository)
    assert done.code == 2
    assert "has no locks/cpu.lock; name another by --lock, or use --this-environment" in done.err
    assert done.out == ""


def test_a_folder_that_is_no_checkout_is_told(technobench, tmp_path):
    done = technobench("gate", "--base", "main", "--stage", "matrix_build")
    assert done.code == 2
    assert "not a git repository" in done.err


def test_nothing_to_go_on_with_is_told(technobench, repository, tmp_path):
    done = technobench("gate", "--resume", "--results", str(tmp_path), cwd=repository)
    assert done.code == 2
    assert "'technobench gate' makes one" in done.err


def test_a_revision_that_does_not_build_is_told(technobench, repository, tmp_path):
    broken = tmp_path / "broken"
    git(tmp_path, "clone", "--quiet", str(repository), str(broken))
    (broken / "pyproject.toml").write_text("[project\n")
    done = technobench(
        *GATE, "--base", "before", "--results", str(tmp_path), "--variant", "count-vectorizer", cwd=broken
    )
    assert done.code == 2
    assert "pip install" in done.err and "toml" in done.err.lower()
    assert "Traceback" not in done.err.splitlines()[0]
    assert len(git(broken, "worktree", "list").splitlines()) == 1


def test_the_files_as_they_are_are_a_commit_that_no_branch_has(repository, tmp_path):
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "--quiet", str(repository), str(copy))
    checkout = Repository(copy / "bench")
    assert checkout.root == copy
    assert checkout.working_tree() == git(copy, "rev-parse", "HEAD") == checkout.commit("after")
    (copy / "README.md").write_text("changed")
    (copy / "new.py").write_text("new")
    before = git(copy, "status", "--porcelain")
    changed = checkout.working_tree()
    assert changed == checkout.working_tree() != checkout.commit("HEAD")
    assert git(copy, "status", "--porcelain") == before
    with checkout.worktree(changed) as files:
        assert (files / "README.md").read_text() == "changed" and (files / "new.py").read_text() == "new"
    assert not files.exists()
    assert checkout.commits("before", "after") == [checkout.commit("after")]
    with pytest.raises(InputError, match="is no revision"):
        checkout.commits("before", "nowhere")
