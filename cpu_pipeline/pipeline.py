"""The whole workload on the CPU: each rung takes the rung of the same name of every stage.

- ``naive``: the seed's 'before'.
- ``batched-sparse``: the seed's 'after'.
- ``native``: compiled engines.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import package
from ..pipeline.stages.pipeline import PipelineAnswer, PipelineProblem
from . import features, matrix_build, predict, shap

ResultT = TypeVar("ResultT")
Prepare = Callable[[Any], Prepared]


def _in_phases(
    problem: PipelineProblem, matrix_build: Prepare, features: Prepare, predict: Prepare, shap: Prepare
) -> Prepared[PipelineAnswer]:
    """A run from the raw file to the explanations, whose phases are ``read``, ``matrix``, ``features``, ... in seconds.

    The set-up of each stage's variant needs the answer of the stage before, so it is part of its phase. Each answer
    comes to the host between phases.
    """
    seconds: dict[str, float] = {}
    devices: list[str] = []

    def timed(phase: str, work: Callable[[], ResultT]) -> ResultT:
        start = time.perf_counter()
        result = work()
        seconds[phase] = time.perf_counter() - start
        return result

    def answer_of(prepared: Prepared) -> Any:
        answer = prepared.run()
        prepared.sync()
        devices.append(prepared.ran_on())
        return prepared.fetch(answer)

    def run() -> PipelineAnswer:
        devices.clear()
        table = timed("read", problem.read)
        technologies = timed("matrix", lambda: answer_of(matrix_build(problem.matrix_problem(table))))
        final_problem = problem.features_problem
        scoring = timed(
            "features",
            lambda: problem.scoring_problem(answer_of(features(final_problem(table, technologies)))),
        )
        scores = timed("predict", lambda: answer_of(predict(scoring)))
        contributions = timed("shap", lambda: answer_of(shap(scoring)))
        return PipelineAnswer(scores, contributions)

    def ran_on() -> str:
        """One device if all stages ran there; the CPU if any did, since a fallback must show."""
        return devices[0] if len(set(devices)) == 1 else "cpu"

    return Prepared(run, ran_on=ran_on, phases=lambda: seconds)


@variant(package("shap"), grows_with=("records", "technologies"))
def naive(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """The naive variant of every stage, one after the other."""
    return _in_phases(problem, matrix_build.naive, features.naive, predict.naive, shap.naive)


@variant()
def batched_sparse(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """The batched sparse variant of every stage, one after the other."""
    return _in_phases(
        problem,
        matrix_build.batched_sparse,
        features.batched_sparse,
        predict.batched_sparse,
        shap.batched_sparse,
    )


@variant(package("numba"))
def native(problem: PipelineProblem) -> Prepared[PipelineAnswer]:
    """The native variant of every stage, one after the other, set-up of each included."""
    return _in_phases(problem, matrix_build.native, features.native, predict.native, shap.native)
