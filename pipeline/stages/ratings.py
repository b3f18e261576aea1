"""Ratings: how well, and how fast, a model learned from some ratings tells the others (explicit feedback).

The ratings are shuffled and cut into folds, as Surprise's ``KFold`` does it from the same seed; each fold is estimated
by a model trained on all others. An answer has one estimate per rating. The model and its hyper-parameters are the
stage's (`rating_models`), and so is the seed that its factors start from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from ..contract import Scalar, Stage
from ..errors import InputError
from ..interactions import Ratings
from ..rating_models import BaselineALS, BaselineSGD, RatingModel, configured
from ..splits import Split, k_folds

if TYPE_CHECKING:
    from ..rating_reference import Checked
    from ..workload import Workload

_OWN_DEFAULT = ("factors", "epochs", "rate", "regularization")
"""Hyper-parameters whose default differs from model to model; 0 stands for it."""
_BASELINES = {"als": BaselineALS(), "sgd": BaselineSGD()}


@dataclass(frozen=True)
class RatingsProblem:
    """Ratings, the folds that they are cut into, and the model.

    seed: of the shuffle before they are cut.
    judged: numbers of the folds, from 0, whose ratings are estimated.
    """

    data: Ratings
    model: RatingModel
    folds: int
    seed: int
    judged: tuple[int, ...]

    def splits(self) -> list[Split]:
        """What the model of each fold that is estimated learns from, and what it is judged on."""
        every = list(k_folds(len(self.data), self.folds, self.seed))
        return [every[fold] for fold in self.judged]


class Accuracy(NamedTuple):
    """Root mean square and mean absolute error, in stars, each the mean over the folds."""

    rmse: float
    mae: float


def accuracy(problem: RatingsProblem, estimates: np.ndarray) -> Accuracy:
    """How far float64[n] estimates are from the ratings."""
    errors = estimates - problem.data.values
    folds = [errors[split.test] for split in problem.splits()]
    rmse = np.mean([np.sqrt(np.mean(fold**2)) for fold in folds])
    return Accuracy(float(rmse), float(np.mean([np.mean(np.abs(fold)) for fold in folds])))


class RatingsStage(Stage[RatingsProblem, np.ndarray, "Checked"]):
    """Estimates of ratings by cross-validation: float64[n], in the order of the data.

    Where a fold is not to be estimated there may be anything.
    """

    name = "ratings"
    order = 80
    summary = "explicit ratings, estimated by a model trained on the other folds"
    error_measure = "largest difference to estimates by the definition, in stars"
    # Sums over factors in another order are off by 1e-13 after 20 epochs; a rating skipped is off by 1e-4 and more.
    tolerance = 1e-10
    kinds = ("ratings",)
    goal = "lowest"
    parameters: ClassVar[Mapping[str, Scalar]] = {
        "model": "svd",
        "folds": 5,
        "judged_folds": 0,
        "factors": 0,
        "epochs": 0,
        "rate": 0.0,
        "regularization": 0.0,
        "k": 40,
        "min_k": 1,
        "similarity": "msd",
        "user_based": True,
        "min_support": 1,
        "shrinkage": 100.0,
        "biases": "als",
    }

    def problem(self, workload: "Workload") -> RatingsProblem:
        """The dataset's ratings, in folds.

        Raises:
            InputError: the dataset has no ratings, or fewer than folds; a parameter is not known or out of range.

        """
        given = {name: workload.parameters[name] for name in [*self.parameters, "seed"]}
        folds, seed = int(given.pop("folds")), int(given["seed"])
        return rating_problem(workload.ratings(), str(given.pop("model")), folds, seed, given)

    def fold(self, workload: "Workload", number: int, folds: int) -> RatingsProblem:
        """The problem, one of its folds estimated. The stage is judged by every rating, so that none stays unseen."""
        return replace(self.problem(workload), folds=folds, judged=(number,))

    def prefix(self, problem: RatingsProblem, records: int) -> RatingsProblem:
        """The first ratings, in folds of their own."""
        folds = min(problem.folds, records)
        judged = tuple(fold for fold in problem.judged if fold < folds) or (0,)
        return replace(problem, data=problem.data.of(slice(records)), folds=folds, judged=judged)

    def sizes(self, problem: RatingsProblem) -> dict[str, int]:
        """Ratings, users and items."""
        data = problem.data
        return {"records": len(data), "users": len(np.unique(data.users)), "items": len(np.unique(data.items))}

    def reference(self, problem: RatingsProblem) -> "Checked | None":
        """Estimates by the definition, of whole folds or of a sample; None where even one fold would take too long."""
        from ..rating_reference import checked

        return checked(problem)

    def error(self, problem: RatingsProblem, answer: np.ndarray, reference: "Checked") -> float:
        """The largest difference; infinity where a rating to estimate has no finite estimate within the scale."""
        lowest, highest = problem.data.scale
        if np.shape(answer) != (len(problem.data),):
            return float("inf")
        judged = answer[np.concatenate([split.test for split in problem.splits()])]
        if not ((judged >= lowest) & (judged <= highest)).all():
            return float("inf")
        return float(np.abs(answer[reference.places] - reference.estimates).max(initial=0.0))

    def quality(self, problem: RatingsProblem, answer: np.ndarray) -> dict[str, float]:
        """`accuracy`: RMSE, then MAE."""
        return accuracy(problem, answer)._asdict()


def rating_problem(data: Ratings, name: str, folds: int, seed: int, given: Mapping[str, Scalar]) -> RatingsProblem:
    """The problem of the model of that name.

    Args:
        data: the ratings.
        name: of the model, among `rating_models.MODELS`.
        folds: that the ratings are cut into.
        seed: of the shuffle before.
        given: hyper-parameters, 0 for the model's own, and ``judged_folds``, 0 for all.

    Raises:
        InputError: there are fewer ratings than folds, a rating is not finite or not within the scale, or the model
            or one of its hyper-parameters is not known or out of range.

    """
    if not 2 <= folds <= len(data):
        raise InputError(f"folds={folds}: give at least 2 and at most as many as there are ratings, {len(data)}")
    lowest, highest = data.scale
    if not ((data.values >= lowest) & (data.values <= highest)).all():
        raise InputError(f"a rating is not within the scale of {lowest:g} to {highest:g}; correct the data")
    judged = int(given.get("judged_folds", 0)) or folds
    if not 1 <= judged <= folds:
        raise InputError(f"judged_folds={judged}: give at least 1 and at most folds={folds}")
    chosen = {key: value for key, value in given.items() if value or key not in _OWN_DEFAULT}
    if (biases := chosen.pop("biases", "als")) not in _BASELINES:
        raise InputError(f"biases={biases!r} is not known; choose from {', '.join(_BASELINES)}")
    model = configured(name, **chosen, baseline=_BASELINES[str(biases)])
    return RatingsProblem(data, model, folds, seed, tuple(range(judged)))
