"""The gate in CI: the script with a stand-in that records, the workflows' commands, the branch that keeps history."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from technobench.bench.cli import technobench as command_line

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("gate*.yml")}
SCRIPTS = ("gate-ci", "keep-history")
NOBODY = {f"GIT_{who}_{what}": "someone" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")} | {
    "GIT_CONFIG_GLOBAL": os.devnull
}


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, **NOBODY}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, name: str) -> str:
    (folder / "bench").mkdir(exist_ok=True)
    (folder / "bench" / "launches.py").touch()
    (folder / name).write_text(name)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    return folder


@pytest.fixture
def gate_ci(tmp_path):
    """Run the script with a stand-in for technobench that records its arguments and ends with a status."""
    stand_in = tmp_path / "stand-in"
    stand_in.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{shlex.quote(str(tmp_path / "told"))}\nexit "$STATUS"\n')
    stand_in.chmod(0o755)

    def run(folder: Path, *arguments: str, status: int = 0) -> tuple[int, list[str], str]:
        (tmp_path / "told").unlink(missing_ok=True)
        environment = {**os.environ, **NOBODY, "TECHNOBENCH": str(stand_in), "STATUS": str(status)}
        script = ["sh", str(ROOT / "tools" / "gate-ci"), *arguments]
        done = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True)
        told = (tmp_path / "told").read_text().splitlines() if (tmp_path / "told").exists() else []
        return done.returncode, told, done.stderr

    return run


def test_a_branch_is_judged_against_where_it_left_main(repository, gate_ci):
    fork = commit(repository, "first")
    git(repository, "checkout", "--quiet", "-b", "change")
    head = commit(repository, "change")
    git(repository, "checkout", "--quiet", "main")
    commit(repository, "main went on")
    git(repository, "checkout", "--quiet", "change")
    code, told, _ = gate_ci(repository, "", "-k", "native and not cuda")
    assert code == 0
    assert told[:5] == ["gate", "--base", fork, "--head", head]
    assert told[-2:] == ["-k", "native and not cuda"]
    with command_line.commands["gate"].make_context("gate", told[1:]) as context:
        assert context.params["markdown_file"] == Path("gate/gate.md")
        assert context.params["junit_file"] == Path("gate/gate.xml")


def test_main_is_judged_against_the_commit_before(repository, gate_ci):
    before, head = commit(repository, "first"), commit(repository, "second")
    assert gate_ci(repository)[1][:5] == ["gate", "--base", before, "--head", head]


def test_the_remote_s_main_goes_before_a_stale_one_of_the_clone(repository, gate_ci, tmp_path):
    commit(repository, "first")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    newer = commit(repository, "second")
    git(clone, "checkout", "--quiet", "-b", "change")
    git(clone, "fetch", "--quiet")
    git(clone, "merge", "--quiet", "origin/main")
    commit(clone, "change")
    assert gate_ci(clone)[1][2] == newer


def test_a_shallow_clone_has_nothing_to_compare_with(repository, gate_ci, tmp_path):
    commit(repository, "first")
    commit(repository, "second")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth", "1", repository.as_uri(), str(clone))
    code, told, said = gate_ci(clone)
    assert (code, told) == (0, [])
    assert "nothing to compare with" in said and "--unshallow" in said


def test_a_base_from_before_the_gate_is_not_compared_with(repository, gate_ci):
    commit(repository, "first")
    git(repository, "rm", "--quiet", "bench/launches.py")
    git(repository, "commit", "--quiet", "--message", "no gate")
    commit(repository, "gate")
    code, told, said = gate_ci(repository)
    assert (code, told) == (0, [])
    assert "before there was a gate" in said


def test_a_base_that_is_not_there_is_told(repository, gate_ci):
    before = commit(repository, "first")
    commit(repository, "second")
    _, told, said = gate_ci(repository, "origin/mian")
    assert told[2] == before
    assert "no merge base with origin/mian" in said


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (1, 1), (2, 2), (3, 0), (4, 4), (130, 130)])
def test_only_inconclusive_is_forgiven(repository, gate_ci, status, expected):
    commit(repository, "first")
    commit(repository, "second")
    code, _, said = gate_ci(repository, status=status)
    assert code == expected
    assert (repository / "gate" / "exit-status").read_text() == f"{status}\n"
    assert ("inconclusive" in said) == (status == 3)


def recipes(text: str) -> list[str]:
    """The shell of each step of a workflow: ``run: ...``, and blocks of ``run: |``."""
    lines = re.findall(r"^ +(?:- )?run: (?!\|)(.+)$", text, re.MULTILINE)
    blocks = re.findall(r"^( +)(?:- )?run: \|\n((?:\1 +.*\n|\n)+)", text, re.MULTILINE)
    return lines + [block for _, block in blocks]


def commands(text: str) -> list[list[str]]:
    """Of a workflow or makefile: each call of technobench, or of it by way of the script, as its arguments."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if match := re.search(r"(?:^|[ /])technobench (run|gate)\b(.*)", line):
            found.append([match[1], *shlex.split(match[2])])
        if match := re.search(r"tools/gate-ci (\S+) (.*?)(?: \|\| .*)?$", line):
            found.append(["gate", "--base", match[1], *shlex.split(match[2].replace("$(GATE_BUDGET)", "60s"))])
    return found


def calls() -> list[list[str]]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    gates = [call for call in commands(makefile) if call[0] == "gate"]
    return gates + [call for text in WORKFLOWS.values() for recipe in recipes(text) for call in commands(recipe)]


def test_the_workflow_and_make_have_commands():
    assert sorted(call[0] for call in calls()) == ["gate", "gate", "run"]


@pytest.mark.parametrize("call", calls(), ids=" ".join)
def test_commands_are_understood_and_select_something(technobench, call):
    with command_line.commands[call[0]].make_context(call[0], call[1:]) as context:
        assert isinstance(context, click.Context)
    taken = ("-k", "--stage", "--variant", "--dataset")
    chosen = [word for at, name in enumerate(call) if name in taken for word in (name, call[at + 1])]
    done = technobench("run", "--dry-run", *chosen)
    assert done.code == 0, done.err
    assert "/native " in done.out and "cuda" not in done.out


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_workflows_parse_and_give_few_rights(name):
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load(WORKFLOWS[name])
    assert found["permissions"] in ({"contents": "read"}, {"actions": "read", "pull-requests": "write"})
    steps = [step for job in found["jobs"].values() for step in job["steps"]]
    assert [step["run"].rstrip("\n") for step in steps if "run" in step]
    assert all(("run" in step) != ("uses" in step) for step in steps)


def test_what_a_pull_request_brings_along_runs_with_no_right_to_write():
    gate, comment = WORKFLOWS["gate.yml"], WORKFLOWS["gate-comment.yml"]
    assert "pull_request_target" not in gate + comment
    assert "checkout" not in comment, "the workflow that may write runs no code of the change"
    judged = gate.partition("  main:\n")[0]
    assert "write" not in re.sub(r"#.*", "", judged).replace("GITHUB_STEP_SUMMARY", "")
    assert judged.count("persist-credentials: false") == judged.count("actions/checkout@")
    for text in (gate, comment):  # an expression within a script would be run as part of it
        assert not any("${{" in recipe for recipe in recipes(text))


@pytest.mark.parametrize(
    ("number", "sha", "posted"), [("7", "abc", True), ("7; id", "abc", None), ("", "abc", None), ("7", "old", False)]
)
def test_the_comment_is_posted_where_the_number_is_one_and_the_head_the_judged_one(tmp_path, number, sha, posted):
    (recipe,) = recipes(WORKFLOWS["gate-comment.yml"])
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "gate.md").write_text("### verdict\n")
    (tmp_path / "gate" / "pull-request").write_text(number)
    stand_in = tmp_path / "gh"
    stand_in.write_text('#!/bin/sh\n[ "$2" = view ] && echo abc && exit\nprintf "%s " "$@" >told\n')
    stand_in.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HEAD_SHA": sha}
    script = "\n".join(line.strip() for line in recipe.splitlines())
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == (1 if posted is None else 0), done.stderr
    told = tmp_path / "told"
    assert told.exists() == bool(posted)
    if posted:
        assert told.read_text().startswith("pr comment 7 --body-file comment.md")
        assert (tmp_path / "comment.md").read_text() == "### verdict\n"


@pytest.mark.parametrize("status", [0, 1, 3])
def test_the_step_of_the_workflow_writes_the_summary_and_ends_as_the_script(tmp_path, status):
    recipe = next(recipe for recipe in recipes(WORKFLOWS["gate.yml"]) if "gate-ci" in recipe)
    tools = tmp_path / "tools"
    tools.mkdir()
    left = "mkdir -p gate; echo verdict >gate/gate.md"
    forgiven = 0 if status == 3 else status
    (tools / "gate-ci").write_text(f"#!/bin/sh\n{left}; echo {status} >gate/exit-status; exit {forgiven}\n")
    (tools / "gate-ci").chmod(0o755)
    environment = {**os.environ, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "BASE": "b"}
    done = subprocess.run(["bash", "-e", "-c", recipe], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == forgiven
    assert (tmp_path / "summary").read_text() == "verdict\n"
    assert ("::warning::" in done.stdout) == (status == 3)


def test_history_grows_by_a_file_a_run_and_keeps_what_was_there(repository, tmp_path):
    head = commit(repository, "first")
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    script = ["sh", str(ROOT / "tools" / "keep-history"), "rows.jsonl", str(remote)]
    environment = {**os.environ, **NOBODY}
    for content in ("one\n", "two\n"):
        (repository / "rows.jsonl").write_text(content)
        subprocess.run(script, cwd=repository, env=environment, check=True, capture_output=True)
        if content == "one\n":
            (first,) = git(remote, "ls-tree", "--name-only", "history").split()
            git(repository, "commit", "--quiet", "--allow-empty", "--message", "second")
    names = git(remote, "ls-tree", "--name-only", "history").split()
    assert len(names) == 2 and first in names and head[:6] in first
    assert {git(remote, "show", f"history:{name}") for name in names} == {"one", "two"}
    (repository / "rows.jsonl").write_text("")
    assert subprocess.run(script, cwd=repository, env=environment, capture_output=True).returncode == 2


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_clean(name):
    path = ROOT / "tools" / name
    assert path.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", str(path)], check=True)
    if (shellcheck := shutil.which("shellcheck")) is None:
        pytest.skip("shellcheck is not installed")
    subprocess.run([shellcheck, str(path)], check=True)
