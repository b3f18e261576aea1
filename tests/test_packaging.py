"""What must agree with each other: version, changelog, README, Makefile, extras, locks, environment.yml, layout."""

import importlib.metadata
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from technobench.bench import store
from technobench.bench.cli import technobench as command_line
from technobench.gpu_pipeline import implicit_cuda
from technobench.pipeline import registry

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LOCKS = {
    "cpu": "locks/cpu.lock",
    "peers": "locks/peers.lock",
    "gpu-cu12": "locks/gpu-cu12.lock",
    "gpu-cu13": "locks/gpu-cu13.lock",
}
GPU_EXTRAS = {"gpu-cu12": 12, "gpu-cu13": 13}
"""And the major version of their CUDA."""
ONLY_OF_PIP = {"rmm", "shap-cuda"}
"""What conda's own packages bring, or do not have."""
CONDA_NAMES = {"py-xgboost-gpu": "xgboost"}
"""Conda's names where they differ from pip's; those of a CUDA end there with it."""


def requirements(extra: str | None = None) -> dict[str, Requirement]:
    project = PROJECT["project"]
    listed = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return {canonicalize_name(each.name): each for each in map(Requirement, listed)}


def locked(extra: str) -> dict[str, set[Version]]:
    found: dict[str, set[Version]] = {}
    for line in (ROOT / LOCKS[extra]).read_text().splitlines():
        if match := re.match(r"([a-zA-Z0-9._-]+)==([^ ;\\]+)", line):
            found.setdefault(canonicalize_name(match[1]), set()).add(Version(match[2]))
    return found


def test_version_and_changelog_agree():
    version = PROJECT["project"]["version"]
    assert importlib.metadata.version("technobench") == version
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == version


@pytest.mark.parametrize("extra", LOCKS)
def test_locks_meet_the_requirements_and_carry_hashes_and_no_addresses(extra):
    text = (ROOT / LOCKS[extra]).read_text()
    assert "://" not in text
    pins = re.findall(r"^[a-zA-Z0-9._-]+==.*$", text, re.MULTILINE)
    assert pins
    assert all(pin.endswith("\\") for pin in pins), "each pin goes on to its hashes"
    found = locked(extra)
    for name, requirement in {**requirements(), **requirements(extra), **requirements("dev")}.items():
        assert found.get(name), f"{name} is not in the lock; run 'make lock'"
        assert all(version in requirement.specifier for version in found[name]), name


def test_the_compiler_s_lock_is_of_the_version_that_the_page_tells():
    text = (ROOT / "locks" / "nvrtc.lock").read_text()
    (pin,) = re.findall(r"^(\S+)==(\S+) \\$", text, re.MULTILINE)
    (wanted,) = map(Requirement, PROJECT["dependency-groups"]["nvrtc"])
    assert "://" not in text and "--hash=sha256:" in text
    assert pin[0] == wanted.name and Version(pin[1]) in wanted.specifier
    page = (ROOT / "docs" / "gpu-kernels.md").read_text()
    assert f"Compiled by NVRTC {pin[1].rpartition('.')[0]}:" in page


def test_the_files_that_pages_link_to_are_under_version_control():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    names = {str((ROOT / name).resolve()) for name in tracked.stdout.splitlines()}
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            assert str(path) in names or any(name.startswith(f"{path}/") for name in names), f"{page.name}: {target}"


def without_cuda(name: str) -> str:
    """The name that is the same for every CUDA: cupy of cupy-cuda12x, cudf of cudf-cu13."""
    return re.sub(r"-(cuda\d+x|cu\d+)$", "", name)


def test_conda_says_the_same_as_the_extras():
    """One file for both: of two least versions it has the newer one."""
    text = (ROOT / "environment.yml").read_text()
    listed = [Requirement(line.strip()[2:]) for line in text.splitlines() if line.startswith("  - ") and ">=" in line]
    conda = {CONDA_NAMES.get(each.name, each.name): each.specifier for each in listed}
    python, cuda = conda.pop("python"), conda.pop("cuda-version")
    assert python == Requirement(f"python{PROJECT['project']['requires-python']}").specifier
    assert [major for major in range(10, 16) if f"{major}.2" in cuda] == list(GPU_EXTRAS.values())
    wanted: dict[str, set[Version]] = {}
    for extra in (None, "dev", *GPU_EXTRAS):
        for name, requirement in requirements(extra).items():
            if without_cuda(name) not in ONLY_OF_PIP:
                (least,) = (each for each in requirement.specifier if each.operator == ">=")
                wanted.setdefault(without_cuda(name), set()).add(Version(least.version))
    found = {canonicalize_name(name): str(specifier) for name, specifier in conda.items()}
    assert found.keys() == wanted.keys()
    for name, versions in wanted.items():
        assert found[name] == f">={max(versions)}", name


@pytest.mark.parametrize("extra", GPU_EXTRAS)
def test_a_gpu_lock_is_of_one_cuda(extra):
    found, major = locked(extra), GPU_EXTRAS[extra]
    assert {f"cupy-cuda{major}x", f"cudf-cu{major}"} <= found.keys()
    assert {version.major for version in found["cuda-toolkit"]} == {major}
    others = {name for name in found if (built := re.search(r"-cu(?:da)?(\d+)x?$", name)) and int(built[1]) != major}
    assert others <= {"nvidia-nccl-cu12", "nvidia-nccl-cu13"}, "NCCL goes with the XGBoost of a Python"


def test_the_container_and_the_workflow_install_the_locks_and_run_what_make_has():
    docker = (ROOT / "Dockerfile.gpu").read_text()
    workflow = (ROOT / ".github" / "workflows" / "gpu.yml").read_text()
    for text in (docker, workflow):
        assert set(re.findall(r"locks/[\w.-]+\.lock", text)) <= {LOCKS[extra] for extra in GPU_EXTRAS}
    assert f"ARG LOCK={LOCKS['gpu-cu12']}" in docker and LOCKS["gpu-cu13"] in workflow
    assert "GPU_LOCK ?= locks/gpu-cu12.lock" in MAKEFILE
    targets = set(re.findall(r"make (?:-\S+ )?([a-z-]+|\.venv-gpu/installed)\b", docker + workflow))
    assert targets == {".venv-gpu/installed", "test-gpu"}
    (python,) = set(re.findall(r"^FROM python:(\S+)-slim", docker, re.MULTILINE))
    (in_workflow,) = set(re.findall(r'python-version: "(\S+)"', workflow))
    assert python == in_workflow
    assert Requirement(f"python{PROJECT['project']['requires-python']}").specifier.contains(python)
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", docker, re.MULTILINE) for word in line.split()}
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize(("lock", "left_out"), [("gpu-cu12", "not implicit-cuda"), ("gpu-cu13", None)])
def test_what_a_cuda_lacks_is_left_out_by_name(lock, left_out):
    """implicit's build is of CUDA 13, and links with a range of RMM."""
    command = ["make", "--dry-run", "test-gpu", f"GPU_LOCK={LOCKS[lock]}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if "-m cuda" in line or "technobench run" in line]
    assert len(lines) == 2
    assert all((f'-k "{left_out}"' in line) if left_out else ("-k" not in line) for line in lines)
    linked = {name for name in locked(lock) if name.startswith("rmm-")}
    assert left_out or linked == {implicit_cuda.RMM}
    assert left_out or min(each.release[:2] for each in locked(lock)[implicit_cuda.RMM]) <= implicit_cuda.LAST_RMM


def test_the_readme_says_what_never_ran_on_hardware():
    """Until a run on a device is among the results, each CUDA variant is told as such, and never as measured."""
    rows = [row for path in store.runs(ROOT / "results") for row in store.read(path)[0]]
    ran = {
        f"{row.stage}/{row.variant}" for row in rows if row.status == "ok" and (row.executed or "").endswith("@cuda")
    }
    table = README.partition("## What has run on hardware")[2].partition("\n## ")[0]
    told = [line for line in table.splitlines() if "never run on hardware" in line]
    for (stage, name), variant in registry.variants().items():
        if variant.device == "cuda":
            lines = [line for line in told if f"`{stage}/{name}`" in line]
            assert len(lines) == (0 if f"{stage}/{name}" in ran else 1), f"{stage}/{name}"


def test_every_package_folder_is_declared():
    declared = set(PROJECT["tool"]["setuptools"]["packages"])
    layers = ("pipeline", "cpu_pipeline", "gpu_pipeline", "bench")
    found = {
        "technobench." + ".".join(path.parent.relative_to(ROOT).parts)
        for layer in layers
        for path in (ROOT / layer).rglob("__init__.py")
    }
    assert found == declared


def test_make_help_names_every_target():
    targets = {"help", "run", "recommendation", "smoke", "test", "lint", "gate", "peers", "test-gpu", "lock", "clean"}
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make (\S+)", done.stdout, re.MULTILINE)) == targets
    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= targets
    assert {"run", "test"} <= set(re.findall(r"`make ([a-z-]+)`", README))


def test_make_peers_installs_its_lock_and_runs_a_command_that_is_understood(technobench):
    done = subprocess.run(["make", "--dry-run", "peers"], cwd=ROOT, capture_output=True, text=True, check=True)
    recipe = done.stdout.replace("\\\n", " ")
    assert f"--require-hashes -r {LOCKS['peers']}" in MAKEFILE
    (command,) = re.findall(r"^\S*\.venv-peers/bin/technobench (.*)$", recipe, re.MULTILINE)
    understood = technobench(*shlex.split(command), "--dry-run")
    assert understood.code == 0, understood.err
    assert all(f"{stage}/native" in understood.out for stage in ("matrix_build", "features", "predict", "shap"))


PRICED = """[[machine]]
name = "any"
device = "{}"
cpu = "Xeon"
per_hour = 1.25
date = 2026-11-22
source = "this test"
"""


def commands_of_readme() -> list[str]:
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.startswith(("technobench", "$ technobench"))]


def test_readme_shows_commands():
    assert len(commands_of_readme()) >= 8


@pytest.mark.parametrize("command", commands_of_readme())
def test_commands_of_the_readme_are_understood(technobench, tmp_path, monkeypatch, command):
    """Measuring ones as --dry-run; the others for real, on a small file of one's own."""
    header = "domain,technologies,bought,industry,employees\n"
    (tmp_path / "companies.csv").write_text(
        header + "".join(f"c{i}.example,C++|t{i % 9},{i % 2},retail,{i}\n" for i in range(60))
    )
    words = shlex.split(command)[1:]
    if words[0] in {"gate", "compare", "aa"}:  # what they do is tested elsewhere, and takes minutes
        (tmp_path / "stored.jsonl").touch()
        monkeypatch.chdir(tmp_path)
        assert command_line.commands[words[0]].make_context(words[0], words[1:])
        return
    if words[0] == "run":
        kept = technobench(
            "data", "add", "companies.csv", "--name", "companies", "--id", "domain", "--label", "bought", "--replace"
        )
        assert kept.code == 0, kept.err
        words.append("--dry-run")
    if words[0] in {"table", "sweep"}:
        words.append("--dry-run")
    if words[0] == "backfill":
        for git in ("init -b main", "commit --allow-empty -m first", "tag v0.1", "commit --allow-empty -m second"):
            somebody = ["git", "-c", "user.name=somebody", "-c", "user.email=somebody"]
            subprocess.run([*somebody, *git.split()], cwd=tmp_path, check=True, capture_output=True)
        words.append("--dry-run")
    if words[0] in {"history", "report", "plan"}:
        words += ["--results", str(ROOT / "results")]
    if "--prices" in words:
        (tmp_path / "prices.toml").write_text('currency = "EUR"\n' + "".join(map(PRICED.format, ("cpu", "cuda"))))
    if words[0] == "show":
        assert (
            technobench("run", "--stage", "predict", "--variant", "xgboost", "--rounds", "1", "--trees", "2").code == 0
        )
        words = words[:1] + [word for word in words[1:] if word.startswith("-")]
    if words[:2] == ["data", "describe"]:
        assert technobench("data", "make", "whotracksme").code == 0
    if words[:2] == ["data", "add"]:
        words.append("--replace")
    if "plays" in command:
        (tmp_path / "plays.csv").write_text("user,item\n" + "".join(f"u{i % 7},i{i % 5}\n" for i in range(30)))
    if words[0] == "recommend":
        named = "--name", "plays", "--user", "user", "--item", "item"
        kept = technobench("data", "add", "plays.csv", *named, "--replace")
        assert kept.code == 0, kept.err
    if words[0] == "tune":
        words += ["--random", "1", "--folds", "2"]
    if "debian" in words and not list(Path("/var/lib/apt/lists").glob("*Packages*")):
        pytest.skip("no package index of apt on this machine")
    done = technobench(*words)
    assert done.code == 0, done.err


@pytest.mark.parametrize(("present", "expected"), [(["3.11", "3.13", "3.12"], "3.13"), (["3.12", "3.10"], "3.12")])
def test_the_newest_python_is_found_where_pyenv_keeps_it(tmp_path, present, expected):
    """Shims on the PATH that run nothing, as pyenv's for versions that are not chosen, are passed over."""
    shims = tmp_path / "shims"
    shims.mkdir()
    for version in present:
        shim = shims / f"python{version}"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
        binary = tmp_path / "pyenv" / "versions" / f"{version}.1" / "bin" / f"python{version}"
        binary.parent.mkdir(parents=True)
        minor = version.partition(".")[2]
        binary.write_text(f'#!/bin/sh\ncase "$2" in *"(3, {minor})"*) exit 0;; esac\nexit 1\n')
        binary.chmod(0o755)
    environment = {"PATH": f"{shims}:/usr/bin:/bin", "PYENV_ROOT": str(tmp_path / "pyenv"), "HOME": str(tmp_path)}
    done = subprocess.run(
        ["sh", str(ROOT / "tools" / "find-python")], env=environment, capture_output=True, text=True, check=True
    )
    found = done.stdout.strip()
    assert f"python{expected}" in found or Version(expected) < Version(_version_of(found))


def _version_of(python: str) -> str:
    code = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_a_named_python_wins():
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": "/opt/mine/python"}
    done = subprocess.run(
        ["sh", str(ROOT / "tools" / "find-python")], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "/opt/mine/python"


def test_a_wheel_holds_every_module_and_the_sample(tmp_path):
    """Built from a copy: what someone gets who installs it, not the checkout."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    copy = tmp_path / "copy"
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        tmp_path,
        ".",
    ]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    import zipfile

    names = set(zipfile.ZipFile(wheel).namelist())
    assert "technobench/pipeline/datasets/whotracksme.parquet" in names
    assert "technobench/pipeline/datasets/whotracksme.ATTRIBUTION.txt" in names
    assert "technobench/bench/suite/pytest.ini" in names
    assert "technobench/bench/report/templates/report.html.j2" in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"technobench"}
    for layer in ("pipeline", "cpu_pipeline", "gpu_pipeline", "bench"):
        for path in (copy / layer).rglob("*.py"):
            assert f"technobench/{path.relative_to(copy)}" in names
