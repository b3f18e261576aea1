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
from ..rating_models import BaselineALS, BaselineSGD, RatingModel, configured

if TYPE_CHECKING:
    from ..rating_reference import Checked
    from ..workload import Workload

_OWN_DEFAULT = ("factors", "epochs", "rate", "regularization")
"""Parameters whose default differs from model to model; 0 stands for it."""
_BASELINES = {"als": BaselineALS(), "sgd": BaselineSGD()}


@dataclass(frozen=True)
class RatingTriples:
    """Who gave what how many stars.

    users, items: int32[n], numbers from 0. ratings: float64[n], finite. A pair may come more than once.
    scale: the lowest and the highest rating there can be.
    """

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    scale: tuple[float, float]

    def __len__(self) -> int:
        return len(self.ratings)

    def of(self, places: np.ndarray | slice) -> "RatingTriples":
        """Those at the places, in that order."""
        return replace(self, users=self.users[places], items=self.items[places], ratings=self.ratings[places])


@dataclass(frozen=True)
class RatingsProblem:
    """Ratings, the folds that they are cut into, and the model.

    seed: of the shuffle before they are cut.
    """

    data: RatingTriples
    model: RatingModel
    folds: int
    seed: int

    def splits(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """int64 places of the training and of the test ratings of each fold, in shuffled order."""
        order = np.arange(len(self.data))
        np.random.RandomState(self.seed).shuffle(order)
        tests = np.array_split(order, self.folds)
        return [
            (np.concatenate([*tests[:fold], *tests[fold + 1 :]]), test) for fold, test in enumerate(tests)
        ]  # array_split gives the first ones one more, as KFold does


class Accuracy(NamedTuple):
    """Root mean square and mean absolute error, in stars, each the mean over the folds."""

    rmse: float
    mae: float


def accuracy(problem: RatingsProblem, estimates: np.ndarray) -> Accuracy:
    """How far float64[n] estimates are from the ratings."""
    errors = [estimates[test] - problem.data.ratings[test] for _, test in problem.splits()]
    rmse = np.mean([np.sqrt(np.mean(error**2)) for error in errors])
    return Accuracy(float(rmse), float(np.mean([np.mean(np.abs(error)) for error in errors])))


def triples_of(workload: "Workload") -> RatingTriples:
    """The ratings of a dataset of ratings; the scale is from the lowest to the highest that it has.

    Raises:
        InputError: it has none.

    """
    ratings = workload.ratings()
    values = ratings.values.astype(np.float64)
    if not len(values):
        raise InputError(f"dataset '{workload.dataset.name}' has no ratings; choose one that has")
    return RatingTriples(ratings.users, ratings.items, values, (float(values.min()), float(values.max())))


class RatingsStage(Stage[RatingsProblem, np.ndarray, "Checked"]):
    """Estimates of ratings by cross-validation: float64[n], in the order of the data."""

    name = "ratings"
    order = 80
    summary = "explicit ratings, estimated by a model trained on the other folds"
    error_measure = "largest difference to estimates by the definition, in stars"
    # Sums over factors in another order are off by 1e-13 after 20 epochs; a rating skipped is off by 1e-4 and more.
    tolerance = 1e-10
    kinds = ("ratings",)
    parameters: ClassVar[Mapping[str, Scalar]] = {
        "model": "svd",
        "folds": 5,
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
        return rating_problem(triples_of(workload), str(given.pop("model")), folds, seed, given)

    def prefix(self, problem: RatingsProblem, records: int) -> RatingsProblem:
        """The first ratings, in folds of their own."""
        return replace(problem, data=problem.data.of(slice(records)))

    def sizes(self, problem: RatingsProblem) -> dict[str, int]:
        """Ratings, users and items."""
        data = problem.data
        return {"records": len(data), "users": len(np.unique(data.users)), "items": len(np.unique(data.items))}

    def reference(self, problem: RatingsProblem) -> "Checked | None":
        """Estimates by the definition, of whole folds or of a sample; None where even one fold would take too long."""
        from ..rating_reference import checked

        return checked(problem)

    def error(self, problem: RatingsProblem, answer: np.ndarray, reference: "Checked") -> float:
        """The largest difference; infinity where there is not one finite estimate within the scale per rating."""
        lowest, highest = problem.data.scale
        if np.shape(answer) != (len(problem.data),) or not ((answer >= lowest) & (answer <= highest)).all():
            return float("inf")
        return float(np.abs(answer[reference.places] - reference.estimates).max(initial=0.0))


def rating_problem(
    data: RatingTriples, name: str, folds: int, seed: int, given: Mapping[str, Scalar]
) -> RatingsProblem:
    """The problem of the model of that name; given are hyper-parameters, 0 for the model's own.

    Raises:
        InputError: there are fewer ratings than folds, a rating is not finite or not within the scale, or the model
            or one of its hyper-parameters is not known or out of range.

    """
    if not 2 <= folds <= len(data):
        raise InputError(f"folds={folds}: give at least 2 and at most as many as there are ratings, {len(data)}")
    lowest, highest = data.scale
    if not ((data.ratings >= lowest) & (data.ratings <= highest)).all():
        raise InputError(f"a rating is not within the scale of {lowest:g} to {highest:g}; correct the data")
    chosen = {key: value for key, value in given.items() if value or key not in _OWN_DEFAULT}
    if (biases := chosen.pop("biases", "als")) not in _BASELINES:
        raise InputError(f"biases={biases!r} is not known; choose from {', '.join(_BASELINES)}")
    model = configured(name, **chosen, baseline=_BASELINES[str(biases)])
    return RatingsProblem(data, model, folds, seed)
