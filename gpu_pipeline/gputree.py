"""The `shap` library's explainer for CUDA: what it refuses, what it takes of the device's memory, where it ran.

It runs GPUTreeShap (Mitchell, Frank and Holmes 2022) on dense rows. It has no code for the CPU: without a device, and
where GPUTreeShap throws, it aborts the process. So what that would throw at is refused here, and so is what shap reads
wrongly from a model, by its version 0.54. Of a model's bias it tells the base margin alone; the trees' is ours.
"""

import json
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from ..pipeline.cuda_driver import driver
from ..pipeline.errors import UnsupportedModelError
from ..pipeline.forest import Forest
from ..pipeline.scoring import ScoringProblem, dense_rows
from ..pipeline.shapley import mean_margin, paths
from .device_memory import too_large

if TYPE_CHECKING:
    import xgboost

DEEPEST = 31
"""Splits on a path: GPUTreeShap has a warp of 32 threads for these and one more."""
_VALUE, _MISSING, _ANSWER = 8, 1, 8
"""Bytes: of a row's columns, a float64 and a mark of missing ones; of an answer's, a float64."""
_ELEMENT = 64
"""Bytes of a split on a path."""
_DOUBLED, _COPIES = 2, 4
"""Of rows and of paths, which are sorted and joined, on paper; neither was measured."""
_INSTEAD = "use native-cuda, xgboost-cuda, or a variant on the CPU"


class GpuTree:
    """`shap.explainers.GPUTree` of a problem's model, path-dependent."""

    def __init__(self, problem: ScoringProblem) -> None:
        """Make the explainer; the device is not touched.

        Raises:
            UnsupportedModelError: a model that shap does not read, or with paths of over `DEEPEST` splits.

        """
        forest, booster = problem.forest(), problem.booster()
        groups = list(paths(forest))
        _check(forest, _has_weights(booster), max((group.depth for group in groups), default=0))
        from shap.explainers import GPUTree

        self._explainer = GPUTree(booster)
        trees = [mean_margin(forest.of_output(output)) for output in range(forest.outputs)]
        self._bias = forest.base_margin + trees
        self._path_bytes = _COPIES * _ELEMENT * sum((group.depth + 1) * len(group.leaf) for group in groups)
        columns = len(problem.columns)
        self._row_bytes = _DOUBLED * (columns * (_VALUE + _MISSING) + forest.outputs * (columns + 1) * _ANSWER)
        self._ran = False

    def fits(self, left: int) -> int:
        """Rows to explain at a time within ``left`` bytes of the device's memory.

        Raises:
            DeviceError: a row does not fit.

        """
        rows = (left - self._path_bytes) // self._row_bytes
        if rows < 1:
            raise too_large("the model with a record", self._path_bytes + self._row_bytes, left)
        return rows

    def explain(self, matrix: sp.csr_matrix) -> np.ndarray:
        """float32[n, outputs * (p + 1)] of an n x p CSR matrix: one output behind the other, the bias of each last."""
        values = self._explainer.shap_values(dense_rows(matrix), tree_limit=-1, check_additivity=False)
        self._ran = True
        by_output = np.stack(values if isinstance(values, list) else [values], axis=1)
        bias = np.broadcast_to(self._bias, by_output.shape[:2])
        return np.concatenate([by_output, bias[:, :, None]], axis=2).reshape(len(by_output), -1).astype(np.float32)

    def ran_on(self) -> str:
        """By the driver: whether the process has worked on the device by the time that rows have been explained."""
        found = driver()
        return "cuda" if self._ran and not isinstance(found, str) and found.is_used() else "cpu"


def _has_weights(booster: "xgboost.Booster") -> bool:
    """Whether trees were dropped as they were trained (DART): they have weights then."""
    saved = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    return bool(saved.get("weight_drop") or saved.get("model", {}).get("weight_drop"))


def _check(forest: Forest, has_weights: bool, deepest: int) -> None:
    in_turn = np.arange(len(forest.tree_output)) % forest.outputs
    lacks = {
        "categorical splits": len(forest.categories) > 0,
        "vectors in leaves": len(np.unique(forest.tree_number)) < len(forest.tree_number),
        "weights of trees (dart)": has_weights,
        "parallel trees of several outputs": bool((forest.tree_output != in_turn).any()),
        f"paths of {deepest} splits; {DEEPEST} are its most": deepest > DEEPEST,
    }
    for what, has in lacks.items():
        if has:
            raise UnsupportedModelError(f"shap's GPUTree cannot do this model, for its {what}: {_INSTEAD}")
