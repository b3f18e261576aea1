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
from ..pipeline.item_vectors import ItemVectors
from ..pipeline.needs import package
from ..pipeline.scoring import contributions, ran_on
from ..pipeline.stages.pipeline import Pipeline, PipelineAnswer, PipelineProblem
from ..pipeline.stopwatch import Stopwatch
from . import features, matrix_build, predict, record_recommendations, shap
from .implicit_als import ALSModel
from .recommender import Recommender
from .record_recommendations import Recommend
from .scorer import ScoredRecords, Scorer, learn
from .tree_shap import TreeShap

if TYPE_CHECKING:
    import xgboost

__all__ = ["Recommender", "ScoredRecords", "Scorer"]

Prepare = Callable[[Any], Prepared]
Explain = Callable[[sp.csr_matrix], np.ndarray]


def _in_phases(
    problem: PipelineProblem,
    matrix_build: Prepare,
    features: Prepare,
    predict: Prepare,
    explainer: Callable[["xgboost.Booster"], Explain],
    recommender: Callable[[ItemVectors, int], Recommend],
) -> Prepared[PipelineAnswer]:
    """A run from the raw file to the recommendations, with its seconds by phase (``PHASES`` of the stage).

    The set-up of each stage's variant needs the answer of the stage before, so it is part of its phase. Each answer
    comes to the host between phases. Explanations are made, and all but the largest contributions dropped, batch by
    batch: ``explainer`` gives, for a booster, a function from CSR rows to dense contributions with the bias last.
    ``recommender`` gives one from CSR rows of what records have to the best of what they have not.
    """
    watch = Stopwatch()
    devices: list[str] = []
    PipelineAnswer.empty(problem)  # reads the sizes from the model, once
    recommend = recommender(problem.recommender, problem.recommendations)

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
        with watch.phase("recommend"):
            owned = problem.owned(technologies)
            for start in range(0, problem.records, problem.batch_records):
                rows = slice(start, start + problem.batch_records)
                answer.recommended[rows], answer.recommended_scores[rows] = recommend(owned[rows])
        return answer

    def ran_where() -> str:
        """One device if all stages ran there; the CPU if any did, since a fallback must show."""
        return devices[0] if len(set(devices)) == 1 else "cpu"

    return Prepared(run, ran_on=ran_where, phases=lambda: watch.seconds)


@variant(package("shap"), grows_with=("records", "technologies"))
def naive(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """The naive variant of every stage, one after the other."""
    stages = matrix_build.naive, features.naive, predict.naive
    return _in_phases(problem, *stages, shap.one_at_a_time, record_recommendations.one_at_a_time)


@variant(package("implicit"))
def batched_sparse(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """The batched sparse variant of every stage, one after the other."""

    def explainer(booster: "xgboost.Booster") -> Explain:
        return lambda batch: contributions(booster, batch)

    stages = matrix_build.batched_sparse, features.batched_sparse, predict.batched_sparse
    return _in_phases(problem, *stages, explainer, record_recommendations.by_implicit)


def _recommender(items: ItemVectors, k: int) -> Recommender:
    """The items are all that a recommender needs of a model."""
    no_users = np.zeros((0, items.vectors.shape[1]), np.float32)
    model = ALSModel(no_users, items.vectors, np.zeros(0), items.regularization, items.alpha, items.scaling)
    return Recommender(model, items.names, k)


@variant(package("numba"))
def native(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """Chunk by chunk through compiled engines, scores and explanations in one pass; set-up of the models included."""
    watch = Stopwatch()

    def run(problem: PipelineProblem = problem) -> PipelineAnswer:
        watch.seconds.clear()
        dataset, file = problem.dataset, problem.record_file
        with watch.phase("model"):
            explainer = TreeShap.from_forest(problem.forest())
            recommender = _recommender(problem.recommender, problem.recommendations)
        learned = learn(file, dataset.delimiter, problem.training_records, problem.min_frequency, watch)
        with watch.phase("features"):
            final = learned.in_order_of(problem.columns)
        vocabulary, column, delimiter = learned.technologies, dataset.technologies, dataset.delimiter
        scorer = Scorer(explainer, final, vocabulary, column, delimiter, problem.top, recommender, watch)
        answer = PipelineAnswer.empty(problem)
        start = 0
        for scored in scorer.score_file(problem.file):
            rows = slice(start, start + len(scored.scores))
            for name, values in scored._asdict().items():
                getattr(answer, name)[rows] = values
            start = rows.stop
        return answer

    run(Pipeline().prefix(problem, 1))  # compiles
    PipelineAnswer.empty(problem)  # reads the sizes from the model, once
    return Prepared(run, phases=lambda: watch.seconds)
