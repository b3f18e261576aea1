"""The whole workload on a CUDA device.

- ``native-cuda``: from the technologies' strings to the lists, on the device; the host reads the file, numbers the
  categories and normalises each distinct technology once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ..pipeline.contract import Prepared, variant
from ..pipeline.final_columns import NO_COLUMN
from ..pipeline.needs import cuda_device, cuda_package
from ..pipeline.stages.pipeline import PHASES, PipelineAnswer, PipelineProblem
from .device_explanations import LargestContributions
from .device_forest import DeviceForest
from .device_memory import BLOCK, batches, left_to_cupy
from .device_recommender import DeviceRecommender
from .device_rows import DeviceRows
from .evidence import Evidence
from .features import learned, raw_columns
from .final_matrix import FinalMatrix, Technologies, bytes_of_rows, fixed_bytes
from .technology_chunks import TechnologyMatrix, chunks_of, left_to_cudf_and_cupy
from .transfers import TO_DEVICE, CountingCupy, DevicePhases

SCRATCH_BYTES = 512 << 20
"""At most, for what is there of some records of a batch at a time."""
_ANSWERS = 8
"""Arrays of a batch beside those of its rows."""


@variant(cuda_package("cupy"), cuda_package("cudf"), cuda_device(), device="cuda")
def native_cuda(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """cuDF, array algebra and our own kernels; only answers come back. Set-up of the models is part of the phases.

    Where not all records fit into the device's memory, the technologies of all are found first and wait on the host;
    then records come batch by batch.
    """
    import cudf
    import cupy

    counting = CountingCupy(cupy)
    watch = DevicePhases(counting, PHASES)
    evidence = Evidence(cupy)
    PipelineAnswer.empty(problem)  # reads the sizes from the model, once

    def run() -> PipelineAnswer:
        watch.reset()
        evidence.reset()
        with watch.phase("read"):
            table = problem.read()
        models = _Models(counting, watch, problem)
        with watch.phase("matrix"):
            technologies = _technologies(counting, cudf, evidence, problem, table)
        with watch.phase("features"):
            final = _final_matrix(counting, problem, table, technologies.names)
        memory = _RecordMemory.of(counting, problem, models, len(technologies), len(technologies.names))
        technologies = memory.fitted(technologies)
        split, scratch_bytes = memory.split(technologies)
        with watch.phase("recommend"):
            owned_columns = _places(problem.recommender.names, technologies.names)
            answer = PipelineAnswer.empty(problem)
        for first, last in split:
            with watch.phase("features"):
                part = technologies.part(first, last).to_device(counting)
                rows = final.rows(part, first, last)
            found = models.answers(rows, part, owned_columns, scratch_bytes)
            evidence.see(rows.data, *found)
            _put(answer, slice(first, last), map(counting.asnumpy, found))
            del part, rows, found  # before the next ones come
        return answer

    return Prepared(run, ran_on=evidence.ran_on, phases=lambda: watch.seconds, transferred=lambda: counting.bytes)


def _technologies(
    cupy: CountingCupy, cudf: Any, evidence: Evidence, problem: PipelineProblem, table: pa.Table
) -> Technologies:
    """The technology matrix; of what cuDF copies, the cells are counted, the distinct items that come back are not."""
    dataset, cells = problem.dataset, table[problem.dataset.technologies]

    def strings(first: int, last: int) -> Any:
        chunk = cells.slice(first, last - first).combine_chunks()
        with cupy.copying(TO_DEVICE, chunk.nbytes):
            return cudf.Series.from_arrow(chunk)

    split = chunks_of(cells, dataset.delimiter, left_to_cudf_and_cupy(cupy))
    learned_from = problem.training_records, problem.min_frequency
    return TechnologyMatrix(cupy, evidence, dataset.delimiter, *learned_from).build(split, strings).technologies


def _final_matrix(cupy: CountingCupy, problem: PipelineProblem, table: pa.Table, names: tuple[str, ...]) -> FinalMatrix:
    """The final matrix in the order of the model's columns."""
    columns = problem.dataset.columns
    known = table[problem.dataset.technologies].is_valid().to_numpy()
    raw = raw_columns(table, columns)
    final = learned(columns, raw, known, problem.training_records, names)
    return FinalMatrix(cupy, final.in_order_of(problem.columns), raw, names, known)


def _places(wanted: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
    """int32[names]: where each name is among those wanted, -1 for nowhere."""
    place = {name: position for position, name in enumerate(wanted)}
    return np.array([place.get(name, NO_COLUMN) for name in names], np.int32)


class _Models:
    """What is asked about records, on the device as long as a run lasts."""

    def __init__(self, cupy: CountingCupy, watch: DevicePhases, problem: PipelineProblem) -> None:
        self._cupy, self._watch = cupy, watch
        with watch.phase("predict"):
            forest = problem.forest()
            self._forest = DeviceForest(cupy, forest)
        with watch.phase("shap"):
            self._contributions = LargestContributions(cupy, forest, problem.explained)
        with watch.phase("recommend"):
            self._recommender = DeviceRecommender(cupy, problem.recommender, problem.recommendations)
        self.least_scratch_bytes = max(self._contributions.least_scratch_bytes, self._recommender.least_scratch_bytes)
        answers = 4 + 8 * problem.explained
        self.answer_bytes = forest.outputs * answers + 8 * problem.recommendations
        """Of a record."""

    def answers(
        self, rows: DeviceRows, technologies: Technologies, owned_columns: np.ndarray, scratch_bytes: int
    ) -> tuple[Any, ...]:
        """Of some records, on the device: scores, features and values of explanations, items and scores of lists.

        owned_columns: int32, the recommender's item of each technology; -1 for none.
        """
        with self._watch.phase("predict"):
            scores = self._forest.margins(rows)
        with self._watch.phase("shap"):
            features, values = self._contributions.of(rows, scratch_bytes)
        with self._watch.phase("recommend"):
            lists = self._recommender.recommend(*technologies.moved(self._cupy, owned_columns))
        return scores, features, values, *lists


@dataclass(frozen=True)
class _RecordMemory:
    """What records take of the device's memory beside the models, at most.

    raw_columns, answer_bytes: of a record. fixed_bytes, least_scratch_bytes: for any number of them.
    """

    cupy: Any
    raw_columns: int
    answer_bytes: int
    fixed_bytes: int
    least_scratch_bytes: int

    @classmethod
    def of(cls, cupy: Any, problem: PipelineProblem, models: _Models, records: int, names: int) -> "_RecordMemory":
        raw_columns = len(problem.dataset.columns)
        fixed = fixed_bytes(raw_columns, names, records) + _ANSWERS * BLOCK
        return cls(cupy, raw_columns, models.answer_bytes, fixed, models.least_scratch_bytes)

    def fitted(self, technologies: Technologies) -> Technologies:
        """The technologies where they are, or, where not all records fit beside them, on the host."""
        if technologies.on_host or self._needed(len(technologies), technologies.indices.size) <= self._left()[0]:
            return technologies
        return technologies.to_host(self.cupy)

    def split(self, technologies: Technologies) -> tuple[list[tuple[int, int]], int]:
        """First and end of each batch of records, and bytes for scratch.

        Raises:
            DeviceError: a record does not fit by itself.

        """
        left, scratch_bytes = self._left()
        if not technologies.on_host:
            return [(0, len(technologies))], scratch_bytes
        needed = self._needed(np.arange(len(technologies) + 1), technologies.indptr)
        return batches(needed, left), scratch_bytes

    def _needed(self, records: Any, technologies: Any) -> Any:
        return bytes_of_rows(records, technologies, self.raw_columns) + records * self.answer_bytes

    def _left(self) -> tuple[int, int]:
        """Bytes for records and for scratch."""
        left = left_to_cupy(self.cupy)
        scratch_bytes = max(self.least_scratch_bytes, min(SCRATCH_BYTES, left // 2))
        return left - self.fixed_bytes - scratch_bytes, scratch_bytes


def _put(answer: PipelineAnswer, rows: slice, found: Iterable[np.ndarray]) -> None:
    """Keep the answers of some records in the shapes of the stage, where one output has no axis of its own."""
    places = answer.scores, answer.features, answer.values, answer.recommended, answer.recommended_scores
    for place, part in zip(places, found, strict=True):
        place[rows] = part.reshape(place[rows].shape)
