"""What machine, libraries and settings a row was measured with."""

import contextlib
import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from ..pipeline.cuda_driver import driver
from ..pipeline.errors import DeviceError

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
"""Environment variables that set how many threads the libraries at hand start."""

_LIBRARIES = (
    "technobench",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "numba",
    "scikit-learn",
    "xgboost",
    "xgboost-cpu",
    "shap",
    "implicit",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "cudf-cu12",
    "cudf-cu13",
    "polars",
    "duckdb",
    "treelite",
    "tl2cgen",
    "onnxruntime",
    "onnxmltools",
    "scikit-learn-intelex",
    "pylignum",
    "woodelf-explainer",
    "irspack",
    "scikit-surprise",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def thread_environment(threads: int) -> dict[str, str]:
    """The environment that gives every library the same number of threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def thread_settings() -> dict[str, str]:
    """What the environment says, and what the loaded native thread pools say of themselves."""
    import threadpoolctl

    settings = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    for pool in threadpoolctl.threadpool_info():
        settings[f"{pool['internal_api']}:{Path(pool['filepath']).name}"] = str(pool["num_threads"])
    return settings


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@functools.cache
def fingerprint() -> dict[str, Any]:
    """The class of the machine: what a stored time must share to be compared. No names, no addresses.

    Where there is a CUDA device, ``gpu`` names the first and ``gpu_driver`` says up to which CUDA the driver goes.
    """
    return {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        **_gpu(),
    }


def _gpu() -> dict[str, str]:
    found = driver()
    if isinstance(found, str):
        return {}
    told = {"gpu_driver": "CUDA {}.{}".format(*found.version)}
    with contextlib.suppress(DeviceError):  # as on a device that is lost; its rows say so
        told["gpu"] = found.device().name
    return told


@functools.cache
def revision() -> tuple[str | None, bool | None]:
    """Commit of the checkout that this code runs from, and whether it differs from it; None, None outside of one."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        tracked = git("ls-files", "--error-unmatch", Path(__file__).name)
        return (git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))) if tracked else (None, None)
    except (OSError, subprocess.SubprocessError):
        return None, None
