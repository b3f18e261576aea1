"""What this machine has and lacks for the GPU variants, and how to mend it."""

import importlib.metadata
import sys

from ..pipeline.cuda_driver import Driver, driver
from ..pipeline.errors import DeviceError
from ..pipeline.needs import CUDA_BUILDS

OLDEST_CUDA = 12
OLDEST_CAPABILITY = 7.5
_OF_ANY_CUDA = ("nvidia-ml-py", *(["shap-cuda"] if sys.version_info >= (3, 12) else []))
PACKAGES = {
    12: (*(builds[12] for builds in CUDA_BUILDS.values()), *_OF_ANY_CUDA),
    13: (*(builds[13] for builds in CUDA_BUILDS.values()), "rmm-cu13", *_OF_ANY_CUDA),
}
"""By the CUDA that they are built for, the first two by their names; beside XGBoost, whose wheel brings its own."""


def gpu_findings() -> tuple[list[str], list[str]]:
    """What is there, and what is lacking with its remedy, in sentences."""
    found = driver()
    if isinstance(found, str):
        installed, lacking = _packages(None)
        return installed, [found, *lacking]
    has, lacks = _of_device(found)
    installed, lacking = _packages(found.version[0])
    return has + installed, lacks + lacking


def _of_device(found: Driver) -> tuple[list[str], list[str]]:
    major, minor = found.version
    has, lacks = [f"a driver that runs CUDA {major}.{minor}"], []
    if major < OLDEST_CUDA:
        lacks.append(f"a driver that runs CUDA {OLDEST_CUDA}: update NVIDIA's driver")
    try:
        device = found.device()
        has.append(
            f"{device.name}, compute capability {device.capability}, memory {device.total_bytes / 2**30:.1f} GiB"
        )
        if float(device.capability) < OLDEST_CAPABILITY:
            lacks.append(
                f"compute capability {OLDEST_CAPABILITY}: it takes a newer device, none of the libraries run on this"
            )
        has.append(f"{found.free_bytes() / 2**30:.1f} GiB of it free")
    except DeviceError as error:
        lacks.append(str(error))
    return has, lacks


def _packages(cuda: int | None) -> tuple[list[str], list[str]]:
    """Distributions for the CUDA of a driver; where that is not known, for those that are there, else for CUDA 12."""
    every = {name: version for name in _named() if (version := _version(name)) is not None}
    built_for = {major for major, names in PACKAGES.items() if set(names[:2]) & every.keys()}
    wanted = min(max(cuda, OLDEST_CUDA), max(PACKAGES)) if cuda is not None else min(built_for, default=OLDEST_CUDA)
    extra = f"pip install 'technobench[gpu-cu{wanted}]'"
    has = [f"{name} {version}" for name, version in every.items()]
    lacks = []
    if cuda is not None and (newer := {major for major in built_for if major > cuda}):
        lacks.append(f"a driver that runs CUDA {max(newer)}, which packages are built for: update it, or {extra}")
    elif wanted not in built_for and built_for:
        wanted = max(built_for)
    lacks += [f"package {name}: {extra}" for name in PACKAGES[wanted] if name not in every]
    if "xgboost-cpu" in every:
        lacks.append(f"XGBoost with CUDA: pip uninstall xgboost-cpu, then {extra}")
    elif "xgboost" not in every:
        lacks.append(f"package xgboost: {extra}")
    return has, lacks


def _named() -> list[str]:
    return list(dict.fromkeys(["xgboost", "xgboost-cpu", *(name for names in PACKAGES.values() for name in names)]))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
