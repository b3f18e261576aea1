"""Who may import whom: the layers of the design, read from the imports, and a planted violation that must be caught."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "pipeline": {"pipeline"},
    "cpu_pipeline": {"pipeline", "cpu_pipeline"},
    "gpu_pipeline": {"pipeline", "gpu_pipeline"},
    "bench": {"pipeline", "bench"},
}


def layers_imported(source: str, module: list[str]) -> set[str]:
    """Layers of technobench that a module (its path as names, from the root) imports, relatively or by full name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.ImportFrom):
            base = module[: len(module) - node.level] if node.level else []
            start = [*base, *(node.module.split(".") if node.module else [])]
            names = [[*start, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            names = [arg.value.split(".") for arg in node.args if isinstance(arg, ast.Constant)]
        for name in names:
            inside = name[1:] if name and name[0] == "technobench" else name
            if inside and inside[0] in MAY_IMPORT:
                found.add(inside[0])
    return found


def violations(root: Path) -> list[str]:
    found = []
    for layer, allowed in MAY_IMPORT.items():
        for path in sorted((root / layer).rglob("*.py")):
            module = list(path.relative_to(root).with_suffix("").parts)
            wrong = layers_imported(path.read_text(encoding="utf-8"), module) - allowed
            found += [f"{path.relative_to(root)} imports {name}" for name in sorted(wrong)]
    return found


def test_layers_hold():
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("where", "planted"),
    [
        ("pipeline/stages/shap.py", "from ...cpu_pipeline import shap"),
        ("pipeline/needs.py", "import technobench.bench.store"),
        ("cpu_pipeline/shap.py", "from ..gpu_pipeline.shap import xgboost_cuda"),
        ("cpu_pipeline/shap.py", "def late():\n    from technobench.bench import run"),
        ("gpu_pipeline/shap.py", "from .. import cpu_pipeline"),
        ("bench/run.py", "import importlib\nimportlib.import_module('technobench.cpu_pipeline.shap')"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path, where, planted):
    for layer in MAY_IMPORT:
        (tmp_path / layer).mkdir()
    path = tmp_path / where
    path.parent.mkdir(exist_ok=True)
    path.write_text(planted)
    assert len(violations(tmp_path)) == 1


def test_only_the_store_touches_files_of_results():
    users = [
        path.name
        for path in (ROOT / "bench").rglob("*.py")
        if "fsync" in path.read_text(encoding="utf-8") or "os.write" in path.read_text(encoding="utf-8")
    ]
    assert users == ["store.py"]


@pytest.mark.parametrize(
    "name",
    [
        "table",
        "statistics",
        "extrapolation",
        "rank_scan",
        "change_points",
        "history",
        "history_table",
        "history_picture",
        "speed_up",
        "sweep_table",
        *(
            str(path.relative_to(ROOT / "bench").with_suffix(""))
            for folder in ("plan", "report")
            for path in sorted((ROOT / "bench" / folder).rglob("*.py"))
        ),
    ],
)
def test_judging_modules_are_pure(name):
    """They get rows and numbers: no clock, no file, no process."""
    tree = ast.parse((ROOT / "bench" / f"{name}.py").read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert not imported & {"time", "os", "subprocess", "pathlib", "psutil"}


def test_the_bare_names_are_refused():
    import subprocess
    import sys

    for name in MAY_IMPORT:
        done = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode != 0
        assert f"import technobench.{name}" in done.stderr


HEAVY = ("cudf", "cupy", "implicit", "numba", "pandas", "polars", "shap", "sklearn", "surprise", "xgboost")
"""What variants import inside of their functions: every process of a run finds all variants first."""


@pytest.mark.parametrize(
    ("imported", "heavy"),
    [
        ("from technobench.pipeline import registry; registry.variants()", HEAVY),
        ("import technobench.bench.cli", ("scipy.special", "scipy.stats", "scipy.optimize", "jinja2")),
    ],
)
def test_what_every_process_imports_is_light(imported, heavy):
    code = f"""
import sys
{imported}
print(*sorted(set({heavy!r}) & set(sys.modules)))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
