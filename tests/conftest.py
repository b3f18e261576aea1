"""Shared fixtures: a home of the tests' own, the command line in a process of its own, planted variants."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from technobench.pipeline.needs import cuda_device_count

from .own_data import added, kept_interactions, own_home, refused, refused_interactions  # noqa: F401 - fixtures

SMALL = ("--trees", "8", "--depth", "3")
"""A model small enough to train in a moment."""


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory):
    """Nothing of the user's is read or written."""
    folder: Path = tmp_path_factory.mktemp("home")
    os.environ["TECHNOBENCH_HOME"] = str(folder)
    os.environ.pop("TECHNOBENCH_RESULTS", None)
    return folder


@pytest.fixture(autouse=True)
def _cuda(request):
    """Tests marked cuda skip where there is no device, and fail there under TECHNOBENCH_REQUIRE=cuda."""
    if request.node.get_closest_marker("cuda") and isinstance(reason := cuda_device_count(), str):
        if os.environ.get("TECHNOBENCH_REQUIRE") == "cuda":
            pytest.fail(f"TECHNOBENCH_REQUIRE=cuda is not met: {reason}")
        pytest.skip(reason)


@dataclass
class Done:
    """A finished command."""

    code: int
    out: str
    err: str
    rows: list[dict] = field(default_factory=list)

    def row(self, variant: str) -> dict:
        (found,) = [row for row in self.rows if row["variant"] == variant]
        return found


@pytest.fixture(scope="session")
def planted_path(tmp_path_factory) -> str:
    """A folder to put on PYTHONPATH: the planted variants as an installed distribution with an entry point."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(Path(__file__).parent / "planted", folder / "planted")
    info = folder / "planted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[technobench.variants]\nplanted = planted\n")
    return str(folder)


@pytest.fixture
def start(tmp_path) -> Callable[..., subprocess.Popen]:
    """Start ``technobench`` with arguments in an empty folder, or another."""

    def begin(*arguments: str, path: str = "", cwd: Path = tmp_path) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", "from technobench.bench.cli import main; main()", *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts background jobs with interrupts ignored, and the tests may be one.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return begin


@pytest.fixture
def technobench(start) -> Callable[..., Done]:
    """Run ``technobench`` to its end; rows are read from its standard output where it prints JSON lines."""

    def run(*arguments: str, **where: Any) -> Done:
        process = start(*arguments, **where)
        out, err = process.communicate(timeout=250)
        as_rows = "--json" in arguments and "-" in arguments
        rows = [json.loads(line) for line in out.splitlines()] if as_rows else []
        return Done(process.returncode, out, err, rows)

    return run
