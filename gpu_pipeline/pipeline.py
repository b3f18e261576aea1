"""The whole workload on a CUDA device.

- ``native-cuda``: from the technologies' strings to the lists, on the device; the host reads the file, numbers the
  categories and normalises each distinct technology once.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ..pipeline.contract import Prepared, variant
from ..pipeline.forest import Forest
from ..pipeline.needs import cuda_device, package
from ..pipeline.rating_products import Arrays
from ..pipeline.stages.pipeline import PipelineAnswer, PipelineProblem
from . import matrix_build
from .device_forest import DeviceForest
from .device_largest import take_largest
from .device_recommender import DeviceRecommender
from .device_rows import DeviceRows
from .device_shap import DeviceShap
from .features import learned, raw_columns
from .final_matrix import Technologies, final_rows
from .shap import explainers
from .transfers import TO_DEVICE, CountingCupy, DevicePhases

EXPLAINED_BYTES = 256 << 20
"""For the contributions of the rows that are explained at a time."""


@variant(package("cupy", "cupy-cuda12x"), package("cudf", "cudf-cu12"), cuda_device(), device="cuda")
def native_cuda(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """cuDF, array algebra and our own kernels; only answers come back. Set-up of the models is part of the phases."""
    import cudf
    import cupy
    from cupyx.scipy import sparse

    counting = CountingCupy(cupy)
    watch = DevicePhases(counting)
    found: list[Any] = []
    PipelineAnswer.empty(problem)  # reads the sizes from the model, once

    def run() -> PipelineAnswer:
        watch.reset()
        found.clear()
        with watch.phase("read"):
            table = problem.read()
        with watch.phase("matrix"):
            technologies = _technologies(counting, cudf, problem, table)
        with watch.phase("features"):
            rows = _final_matrix(counting, problem, table, technologies)
        with watch.phase("predict"):
            forest = problem.forest()
            scores = DeviceForest(counting, forest).margins(rows)
        with watch.phase("shap"):
            features, values = largest_contributions(counting, forest, rows, problem.explained)
        with watch.phase("recommend"):
            recommender = DeviceRecommender(Arrays(counting, sparse), problem.recommender, problem.recommendations)
            place = {name: position for position, name in enumerate(problem.recommender.names)}
            columns = np.array([place.get(name, -1) for name in technologies.names], np.int32)
            lists = recommender.recommend(*technologies.moved(counting, columns))
        found[:] = [technologies.indices, rows.data, scores, features, values, *lists]
        return _on_host(counting, problem, scores, features, values, *lists)

    def ran_on() -> str:
        return "cuda" if found and all(isinstance(each, cupy.ndarray) for each in found) else "cpu"

    return Prepared(run, ran_on=ran_on, phases=lambda: watch.seconds, transferred=lambda: counting.bytes)


def _technologies(cupy: CountingCupy, cudf: Any, problem: PipelineProblem, table: pa.Table) -> Technologies:
    """The technology matrix; of what cuDF copies, the cells are counted, the distinct items that come back are not."""
    matrix_problem = problem.matrix_problem(table)
    with cupy.copying(TO_DEVICE, table[problem.dataset.technologies].nbytes):
        prepared = matrix_build.prepared(cupy, cudf, matrix_problem)
    built = prepared.run()
    return Technologies(built["pointers"], built["indices"], built["names"])


def _final_matrix(
    cupy: CountingCupy, problem: PipelineProblem, table: pa.Table, technologies: Technologies
) -> DeviceRows:
    """The final matrix in the order of the model's columns."""
    columns = problem.dataset.columns
    known = table[problem.dataset.technologies].is_valid().to_numpy()
    raw = raw_columns(table, columns)
    final = learned(columns, raw, known, problem.training_records, technologies.names)
    return final_rows(cupy, final.in_order_of(problem.columns), raw, technologies, known)


def largest_contributions(cupy: Any, forest: Forest, rows: DeviceRows, k: int) -> tuple[Any, Any]:
    """int32[n, outputs, k] columns of the model, float32[n, outputs, k] their contributions, largest size first.

    Some rows at a time, so that the contributions of all are never there together. The model uses k features at least;
    those that an output does not use give nothing to it.

    Raises:
        UnsupportedModelError: as `DeviceShap`.

    """
    shape = len(rows), forest.outputs, k
    features, values = cupy.zeros(shape, cupy.int32), cupy.zeros(shape, cupy.float32)
    if k == 0:
        return features, values
    for output, explainer in enumerate(explainers(cupy, forest)):
        unused = np.setdiff1d(forest.used_features, explainer.features)
        columns = np.concatenate([explainer.features, unused]).astype(np.int32)
        columns_on_device = cupy.asarray(columns)
        for part, contributions in _contributions(cupy, explainer, rows, len(columns)):
            best, _ = take_largest(cupy, abs(contributions), k)
            begins = cupy.arange(len(best))[:, None] * len(columns)
            features[part, output] = columns_on_device[best]
            values[part, output] = contributions.reshape(-1)[begins + best]
    return features, values


def _contributions(cupy: Any, explainer: DeviceShap, rows: DeviceRows, columns: int) -> Iterator[tuple[slice, Any]]:
    """Some rows at a time: float32[rows, columns], of the explainer's features and then zeros."""
    used = len(explainer.features)
    step = max(1, EXPLAINED_BYTES // (4 * (columns + 1)))
    for first in range(0, len(rows), step):
        part = slice(first, min(first + step, len(rows)))
        written = cupy.empty((part.stop - part.start, explainer.width), cupy.float32)
        explainer.write(rows.part(part.start, part.stop), written, 0)
        contributions = cupy.zeros((len(written), columns), cupy.float32)
        contributions[:, :used] = written[:, :used]
        yield part, contributions


def _on_host(cupy: CountingCupy, problem: PipelineProblem, *answers: Any) -> PipelineAnswer:
    """The answers in the shapes of the stage, where one output has no axis of its own."""
    scores, features, values, recommended, recommended_scores = map(cupy.to_host, answers)
    each = problem.records, *problem.each_output
    return PipelineAnswer(
        scores=scores.reshape(each),
        features=features.reshape(*each, problem.explained),
        values=values.reshape(*each, problem.explained),
        recommended=recommended,
        recommended_scores=recommended_scores,
    )
