"""Matrix build on a CUDA device.

- ``cudf``: cuDF splits and numbers the items, the host normalises each distinct item once, CuPy makes the CSR.
"""

from typing import Any

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import cuda_device, cuda_package
from ..pipeline.stages.matrix_build import MatrixAnswer, MatrixProblem, csr_of_ones
from .evidence import Evidence
from .technology_chunks import Built, TechnologyMatrix, chunks_of, left_to_cudf_and_cupy, strings_of


@variant(cuda_package("cupy"), cuda_package("cudf"), cuda_device(), device="cuda")
def cudf(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """Split and number the items by cuDF, normalise distinct ones on the host, sort the pairs by CuPy into a CSR.

    Cells lie on the device when the set-up is over; the matrix lies there when a run is over. Where they do not fit,
    they come chunk by chunk (`technology_chunks`), and the matrix lies on the host. Pairs (record, name) are made
    distinct by sorting ``record * names + name``, in 64 bits.
    """
    import cudf
    import cupy

    cells = strings_of(problem.cells)
    split = chunks_of(cells, problem.delimiter, left_to_cudf_and_cupy(cupy))

    def strings(first: int, last: int) -> Any:
        return cudf.Series.from_arrow(cells.slice(first, last - first).combine_chunks())

    resident = strings(0, len(cells)) if len(split) == 1 else None
    evidence = Evidence(cupy)
    learned = problem.training_records, problem.min_frequency
    technology_matrix = TechnologyMatrix(cupy, evidence, problem.delimiter, *learned)

    def run() -> Built:
        evidence.reset()
        return technology_matrix.build(split, strings if resident is None else lambda *_: resident)

    def fetch(built: Built) -> MatrixAnswer:
        technologies = built.technologies if built.technologies.on_host else built.technologies.to_host(cupy)
        matrix = csr_of_ones(technologies.indices, technologies.indptr, len(technologies.names))
        known = np.asarray(cells.is_valid(), bool)
        return MatrixAnswer(matrix, technologies.names, known, built.unseen)

    return Prepared(run, cupy.cuda.Device().synchronize, fetch, ran_on=evidence.ran_on)
