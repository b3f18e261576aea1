"""Scores by other libraries, each with the booster converted or compiled in the set-up.

Those that read CSR take the whole matrix in one call; those for dense rows get batches with NaN for what is missing.

- ``treelite``: a general interpreter of forests, from CSR
- ``tl2cgen``: trees as C code, compiled; from CSR
- ``onnxruntime``: an ONNX graph of one tree ensemble; dense
- ``daal4py``: Intel oneDAL; dense
- ``lignum``: an interpreter with XGBoost's own arithmetic; dense, float64
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import scipy.sparse as sp

from ...pipeline.contract import Prepared, variant
from ...pipeline.needs import c_compiler
from ...pipeline.scoring import ScoringProblem, dense_rows
from ..kernels.threads import thread_count
from .needs import peer
from .oneapi import daal_model


def _in_batches(problem: ScoringProblem, score: Callable[[sp.csr_matrix], np.ndarray]) -> Prepared[np.ndarray]:
    def run() -> np.ndarray:
        scores = np.empty(problem.matrix.shape[0], np.float32)
        for rows, batch in problem.batches():
            scores[rows] = score(batch)
        return scores

    return Prepared(run)


@variant(peer("treelite"))
def treelite(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """Treelite's general interpreter (GTIL), the whole CSR matrix in one call."""
    import treelite

    model = treelite.frontend.from_xgboost(problem.booster())

    def run() -> np.ndarray:
        return treelite.gtil.predict(model, problem.matrix, nthread=thread_count(), pred_margin=True).ravel()

    return Prepared(run)


TRANSLATION_UNITS = 16
"""Files of C per forest: GCC's time grows faster than a file's length."""


@variant(peer("treelite"), peer("tl2cgen"), c_compiler())
def tl2cgen(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """TL2cgen writes the trees as C code, GCC compiles it in the set-up; the whole CSR matrix in one call."""
    import tl2cgen
    import treelite

    model = treelite.frontend.from_xgboost(problem.booster())
    with TemporaryDirectory() as folder:
        library = Path(folder) / "forest.so"
        parameters = {"parallel_comp": TRANSLATION_UNITS}
        tl2cgen.export_lib(model, toolchain="gcc", libpath=library, params=parameters, nthread=thread_count())
        predictor = tl2cgen.Predictor(library, nthread=thread_count())

    def run() -> np.ndarray:
        # TL2cgen 1.0 asks NumPy for views, which NumPy 2 refuses where the types are not already its own.
        matrix = problem.matrix.copy()
        matrix.indices, matrix.indptr = matrix.indices.astype(np.uintc), matrix.indptr.astype(np.uintp)
        return predictor.predict(tl2cgen.DMatrix(matrix), pred_margin=True).ravel()

    return Prepared(run)


@variant(peer("onnxruntime"), peer("onnxmltools"))
def onnxruntime(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """ONNX Runtime on the converted booster, batches of 1,000 dense rows; the graph's logistic function left out."""
    import onnxruntime
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster, columns = problem.booster(), problem.matrix.shape[1]
    booster.feature_names = [f"f{column}" for column in range(columns)]  # the converter takes no others
    model = convert_xgboost(booster, initial_types=[("rows", FloatTensorType([None, columns]))])
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "post_transform":  # float32 probabilities near 1 do not hold a margin
            attribute.s = b"NONE"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = thread_count(), 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    scores = session.get_outputs()[-1].name
    return _in_batches(problem, lambda batch: session.run([scores], {"rows": dense_rows(batch)})[0][:, -1])


@variant(peer("daal4py"))
def daal4py(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """Intel oneDAL by daal4py's model builder, batches of 1,000 dense rows."""
    model = daal_model(problem.booster())
    return _in_batches(problem, lambda batch: model.predict(dense_rows(batch)))


@variant(peer("lignum"))
def lignum(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """The interpreter of lignum, batches of 1,000 dense rows in float64, which it asks for."""
    import lignum

    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.ubj"
        file.write_bytes(problem.model)
        model = lignum.load(str(file))

    def score(batch: sp.csr_matrix) -> np.ndarray:
        return model.predict(dense_rows(batch, np.float64), raw_score=True, n_jobs=thread_count())

    return _in_batches(problem, score)
