"""What a variant needs of the machine, and why it is missing where it is."""

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
