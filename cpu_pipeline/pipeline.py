"""The whole workload on the CPU.

- ``naive``: the seed's 'before', the naive rung of every stage.
- ``batched-sparse``: the seed's 'after', the batched sparse rung of every stage.
- ``native``: compiled engines on a stream of chunks (`Scorer`, a class of its own use).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import package
from ..pipeline.scoring import contributions, ran_on
from ..pipeline.stages.pipeline import Pipeline, PipelineAnswer, PipelineProblem
from . import features, matrix_build, predict, shap
from .scorer import ScoredRecords, Scorer, learn
from .stopwatch import Stopwatch
from .tree_shap import TreeShap

if TYPE_CHECKING:
    import xgboost

__all__ = ["ScoredRecords", "Scorer"]

Prepare = Callable[[Any], Prepared]
Explain = Callable[[sp.csr_matrix], np.ndarray]


def _in_phases(
    problem: PipelineProblem,
    matrix_build: Prepare,
    features: Prepare,
    predict: Prepare,
    explainer: Callable[["xgboost.Booster"], Explain],
) -> Prepared[PipelineAnswer]:
    """A run from the raw file to the explanations, whose phases are ``read``, ``matrix``, ``features``, ... in seconds.

    The set-up of each stage's variant needs the answer of the stage before, so it is part of its phase. Each answer
    comes to the host between phases. Explanations are made, and all but the largest contributions dropped, batch by
    batch: ``explainer`` gives, for a booster, a function from CSR rows to dense contributions with the bias last.
    """
    watch = Stopwatch()
    devices: list[str] = []
    PipelineAnswer.empty(problem)  # reads the sizes from the model, once

    def answer_of(prepared: Prepared) -> Any:
        answer = prepared.run()
        prepared.sync()
        devices.append(prepared.ran_on())
        return prepared.fetch(answer)

    def run() -> PipelineAnswer:
        watch.seconds.clear()
        devices.clear()
        with watch.phase("read"):
            table = problem.read()
        with watch.phase("matrix"):
            technologies = answer_of(matrix_build(problem.matrix_problem(table)))
        with watch.phase("features"):
            scoring = problem.scoring_problem(answer_of(features(problem.features_problem(table, technologies))))
        answer = PipelineAnswer.empty(problem)
        with watch.phase("predict"):
            answer.scores[:] = answer_of(predict(scoring))
        with watch.phase("shap"):
            booster = scoring.booster()
            explain = explainer(booster)
            for rows, batch in scoring.batches():
                answer.put_largest(rows, explain(batch))
            devices.append(ran_on(booster))
        return answer

    def ran_where() -> str:
        """One device if all stages ran there; the CPU if any did, since a fallback must show."""
        return devices[0] if len(set(devices)) == 1 else "cpu"

    return Prepared(run, ran_on=ran_where, phases=lambda: watch.seconds)


@variant(package("shap"), grows_with=("records", "technologies"))
def naive(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """The naive variant of every stage, one after the other."""
    return _in_phases(problem, matrix_build.naive, features.naive, predict.naive, shap.one_at_a_time)


@variant()
def batched_sparse(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """The batched sparse variant of every stage, one after the other."""

    def explainer(booster: "xgboost.Booster") -> Explain:
        return lambda batch: contributions(booster, batch)

    return _in_phases(problem, matrix_build.batched_sparse, features.batched_sparse, predict.batched_sparse, explainer)


@variant(package("numba"))
def native(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """Chunk by chunk through compiled engines, scores and explanations in one pass; set-up of the model included."""
    watch = Stopwatch()

    def run(problem: PipelineProblem = problem) -> PipelineAnswer:
        watch.seconds.clear()
        dataset, file = problem.dataset, problem.record_file
        with watch.phase("model"):
            explainer = TreeShap.from_forest(problem.forest())
        learned = learn(file, dataset.delimiter, problem.training_records, problem.min_frequency, watch)
        with watch.phase("features"):
            final = learned.in_order_of(problem.columns)
        scorer = Scorer(explainer, final, dataset.technologies, dataset.delimiter, problem.top, watch)
        answer = PipelineAnswer.empty(problem)
        start = 0
        for scored in scorer.score_file(problem.file):
            rows = slice(start, start + len(scored.scores))
            answer.scores[rows], answer.features[rows], answer.values[rows] = scored
            start = rows.stop
        return answer

    run(Pipeline().prefix(problem, 1))  # compiles
    PipelineAnswer.empty(problem)  # reads the sizes from the model, once
    return Prepared(run, phases=lambda: watch.seconds)
