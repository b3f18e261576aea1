"""What a variant needs of the machine, and why it is missing where it is."""

import importlib.machinery
import importlib.metadata
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from .cuda_driver import driver


@dataclass(frozen=True)
class Need:
    """Something a variant cannot run without.

    ``missing()`` returns None where the need is met, else one sentence with the reason. It must be cheap, must not
    import the package it asks about, and must not abort the process.
    """

    name: str
    missing: Callable[[], str | None]


def package(import_name: str, distribution: str | None = None) -> Need:
    """Need that ``import_name`` can be imported; ``distribution`` is the name to install where it differs."""

    def missing() -> str | None:
        if importlib.util.find_spec(import_name) is not None:
            return None
        return f"package '{import_name}' is not installed (pip install {distribution or import_name})"

    return Need(import_name, missing)


CUDA_BUILDS = {"cupy": {12: "cupy-cuda12x", 13: "cupy-cuda13x"}, "cudf": {12: "cudf-cu12", 13: "cudf-cu13"}}
"""Distributions of packages that have one for each CUDA, by import name and CUDA."""


def cuda_package(import_name: str) -> Need:
    """Need for one of `CUDA_BUILDS`; what is missing is named as the build for the driver's CUDA, of 12 without one."""

    def missing() -> str | None:
        found, builds = driver(), CUDA_BUILDS[import_name]
        cuda = 12 if isinstance(found, str) else min(max(found.version[0], min(builds)), max(builds))
        return package(import_name, builds[cuda]).missing()

    return Need(import_name, missing)


def c_compiler() -> Need:
    """Need for ``gcc``."""

    def missing() -> str | None:
        return None if shutil.which("gcc") else "no C compiler (program 'gcc' is not on the PATH)"

    return Need("gcc", missing)


def cuda_device_count() -> int | str:
    """Number of CUDA devices by the driver's own count, or one sentence saying why there is none."""
    found = driver()
    return found if isinstance(found, str) else found.count


def cuda_device() -> Need:
    """Need for at least one CUDA device."""

    def missing() -> str | None:
        count = cuda_device_count()
        return count if isinstance(count, str) else None

    return Need("a CUDA device", missing)


def xgboost_with_cuda() -> Need:
    """Need for a build of XGBoost with CUDA: the CPU wheel has the same import name and would compute on the CPU."""

    def missing() -> str | None:
        if importlib.util.find_spec("xgboost") is None:
            return "package 'xgboost' is not installed (pip install xgboost)"
        try:
            version = importlib.metadata.version("xgboost-cpu")
        except importlib.metadata.PackageNotFoundError:
            return None
        return f"XGBoost is the CPU build (xgboost-cpu {version}; pip install xgboost instead)"

    return Need("XGBoost with CUDA", missing)


def shap_with_cuda() -> Need:
    """Need for what shap's `GPUTree` explainer calls, its CUDA extension; it aborts the process without a device.

    From shap 0.54 on it is in a package of its own, of the same version; before, it was in builds of shap from source.
    """

    def missing() -> str | None:
        if importlib.util.find_spec("shap") is None:
            return "package 'shap' is not installed (pip install shap)"
        if importlib.util.find_spec("shap_cuda") is None and _holds("shap", "_cext_gpu"):
            return None
        if not _holds("shap_cuda", "_cext_gpu"):
            told = "pip install 'shap[cuda]', from shap 0.54 on; earlier ones are to be built from source with CUDA"
            return f"shap has no CUDA extension '_cext_gpu' ({told})"
        own, extension = (_version(name) for name in ("shap", "shap-cuda"))
        if own != extension:
            return f"shap {own} and shap-cuda {extension} differ in version (pip install -U 'shap[cuda]')"
        return None

    return Need("shap with CUDA", missing)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _holds(package_name: str, module_name: str) -> bool:
    """Whether a package has a module in its folder; `find_spec` of the module would import the package."""
    spec = importlib.util.find_spec(package_name)
    folders = spec.submodule_search_locations if spec else None
    return bool(folders) and importlib.machinery.PathFinder.find_spec(module_name, folders) is not None
