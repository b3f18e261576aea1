"""XGBoost imported without scikit-learn, in the harness's own processes.

`import xgboost` brings scikit-learn, and that pandas, for estimators that few variants use: three of its four seconds
of CPU time, in every process that measures. Where scikit-learn is not installed, XGBoost does without
(xgboost/compat.py).
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

HEAVY = "sklearn"
"""What is left out. A variant that names it among its needs has it (`keep_estimators`)."""


class _WithoutEstimators(Loader):
    """Runs a package while scikit-learn cannot be imported."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if HEAVY in sys.modules:
            return self._loader.exec_module(module)
        sys.modules[HEAVY] = None  # type: ignore[assignment] - what makes an import of it fail
        try:
            self._loader.exec_module(module)
        finally:
            del sys.modules[HEAVY]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _OfXgboost(MetaPathFinder):
    """Finds XGBoost where it is, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == "xgboost" else None
        if spec is not None and spec.loader is not None:
            spec.loader = _WithoutEstimators(spec.loader)
        return spec


_FINDER = _OfXgboost()


def leave_estimators_out() -> None:
    """Import XGBoost without its estimators from now on."""
    sys.meta_path.insert(0, _FINDER)


def keep_estimators() -> None:
    """Import XGBoost with its estimators again: for a variant that needs scikit-learn, before it imports anything."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
