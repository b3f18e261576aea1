"""Explanations on the GPU.

- xgboost-cuda: XGBoost's `pred_contribs` batch by batch, by quadrature there; before XGBoost 3.3, GPUTreeShap
- gputree-cuda: the `shap` library's `GPUTree` explainer, which is GPUTreeShap in float64, on batches of dense rows
- native-cuda: the CPU's pattern tables, column by column through shared memory, and leaf by leaf the trees that are too
  deep for tables (`DeviceShap`); a compact answer
"""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..pipeline.contract import Prepared, variant
from ..pipeline.forest import Forest
from ..pipeline.needs import cuda_device, cuda_package, shap_with_cuda, xgboost_with_cuda
from ..pipeline.scoring import ScoringProblem, contributions_in_batches, explained_in_batches, ran_on
from ..pipeline.shap_tables import MOST_BYTES
from ..pipeline.stages.shap import CompactContributions
from .batched_run import batched_run
from .device_memory import BLOCK, left_to_cupy, left_to_others
from .device_rows import DeviceRows
from .device_shap import SCRATCH_ARRAYS, SCRATCH_BYTES, DeviceShap
from .gputree import GpuTree
from .xgboost_memory import explained_at_a_time


@variant(xgboost_with_cuda(), cuda_device(), device="cuda")
def xgboost_cuda(problem: ScoringProblem) -> Prepared[sp.csr_matrix]:
    """Batches of 1,000 CSR rows, or as fit, through XGBoost's CUDA `pred_contribs`; a sparse answer on the host."""
    booster = problem.booster(device="cuda")
    fits = explained_at_a_time(problem, left_to_others())
    problem = replace(problem, batch_records=min(problem.batch_records, fits))
    return Prepared(lambda: contributions_in_batches(booster, problem), ran_on=lambda: ran_on(booster))


@variant(shap_with_cuda(), cuda_device(), device="cuda")
def gputree_cuda(problem: ScoringProblem) -> Prepared[sp.csr_matrix]:
    """Batches of 1,000 dense rows, or as fit, through shap's `GPUTree`, path-dependent; a sparse answer on the host."""
    explainer = GpuTree(problem)
    problem = replace(problem, batch_records=min(problem.batch_records, explainer.fits(left_to_others())))
    return Prepared(lambda: explained_in_batches(problem, explainer.explain), ran_on=explainer.ran_on)


def explainers(cupy: Any, forest: Forest, most_table_bytes: int = MOST_BYTES) -> list[DeviceShap]:
    """One for each output of a forest, which share the bytes of tables; trees beyond them are explained leaf by leaf.

    Raises:
        UnsupportedModelError: as `DeviceShap`.

    """
    found: list[DeviceShap] = []
    for output in range(forest.outputs):
        found.append(DeviceShap(cupy, forest.of_output(output), most_table_bytes // (forest.outputs - output)))
        most_table_bytes -= found[-1].table_bytes
    return found


@variant(cuda_package("cupy"), cuda_device(), device="cuda")
def native_cuda(problem: ScoringProblem) -> Prepared[CompactContributions]:
    """Pattern-table TreeSHAP on the device: one look-up in shared memory per group and feature; a compact answer."""
    import cupy

    forest = problem.forest()
    outputs = explainers(cupy, forest)
    DeviceRows.check(problem.matrix, forest.features)
    width = forest.features + 1
    columns = [output * width + np.append(each.features, width - 1) for output, each in enumerate(outputs)]
    first_columns = np.cumsum([0, *map(len, columns)]).tolist()
    least = max(each.scratch_bytes_of_a_row for each in outputs) + SCRATCH_ARRAYS * BLOCK
    scratch_bytes = max(least, min(SCRATCH_BYTES, left_to_cupy(cupy) // 2))

    def explanations(rows: DeviceRows) -> Any:
        answer = cupy.empty((len(rows), first_columns[-1]), np.float32)
        for explainer, first_column in zip(outputs, first_columns, strict=False):
            explainer.write(rows, answer, first_column, scratch_bytes)
        return answer

    def fetched(values: np.ndarray) -> CompactContributions:
        return CompactContributions(values, np.concatenate(columns), forest.outputs * width)

    return batched_run(cupy, problem.matrix, first_columns[-1], explanations, fetched, scratch_bytes)
