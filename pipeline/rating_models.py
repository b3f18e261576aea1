"""Rating models by their hyper-parameters: Surprise's, with its defaults, and under its names in `MODELS`.

What each computes is in its docstring; ``mean`` is that of all training ratings. An estimate is clipped to the scale.
Where a model cannot tell, because the user or the item is unknown or has too few neighbours, it says the mean.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .errors import InputError

Centring = Literal["basic", "means", "z-score", "baseline"]
Similarity = Literal["cosine", "msd", "pearson", "pearson-baseline"]


def _at_least(least: float, **given: float) -> None:
    for name, value in given.items():
        if not value >= least:
            raise InputError(f"{name}={value!r} must be at least {least:g}")


class _ByGradientDescent:
    """What `SVD` and `SVDpp` have in common."""

    factors: int
    epochs: int
    init_std_dev: float
    rate: float
    regularization: float
    seed: int

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        _at_least(1, factors=self.factors)
        _at_least(0, epochs=self.epochs, init_std_dev=self.init_std_dev, rate=self.rate)
        _at_least(0, regularization=self.regularization, seed=self.seed)


@dataclass(frozen=True)
class SVD(_ByGradientDescent):
    """``mean + b_u + b_i + q_i.p_u`` by stochastic gradient descent (Koren, Bell, Volinsky 2009, eq. 5).

    biased: without it ``q_i.p_u`` alone, probabilistic matrix factorization (Salakhutdinov, Mnih 2008).
    rate, regularization: of biases and factors alike, Surprise's ``lr_all`` and ``reg_all``.
    seed: of the initial factors, users' first, drawn by NumPy's RandomState as Surprise draws them.
    """

    factors: int = 100
    epochs: int = 20
    biased: bool = True
    init_mean: float = 0.0
    init_std_dev: float = 0.1
    rate: float = 0.005
    regularization: float = 0.02
    seed: int = 0


@dataclass(frozen=True)
class SVDpp(_ByGradientDescent):
    """``mean + b_u + b_i + q_i.(p_u + sum of y_j over the n items of u / sqrt(n))`` (Koren 2008, section 4).

    cache_ratings: Surprise keeps a copy of each user's items; the answer is the same.
    """

    factors: int = 20
    epochs: int = 20
    cache_ratings: bool = False
    init_mean: float = 0.0
    init_std_dev: float = 0.1
    rate: float = 0.007
    regularization: float = 0.02
    seed: int = 0


@dataclass(frozen=True)
class NMF:
    """``q_i.p_u`` with factors that stay positive, by multiplicative steps (Luo et al. 2014).

    biased: with ``mean + b_u + b_i``, whose steps are those of `SVD`.
    """

    factors: int = 15
    epochs: int = 50
    biased: bool = False
    regularization: float = 0.06
    bias_rate: float = 0.005
    bias_regularization: float = 0.02
    init_low: float = 0.0
    init_high: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        _at_least(1, factors=self.factors)
        _at_least(0, epochs=self.epochs, regularization=self.regularization, bias_rate=self.bias_rate)
        _at_least(0, bias_regularization=self.bias_regularization, init_low=self.init_low, seed=self.seed)
        _at_least(self.init_low, init_high=self.init_high)


@dataclass(frozen=True)
class SlopeOne:
    """The user's mean and the mean difference of the item to those the user rated (Lemire, Maclachlan 2005).

    Surprise cuts half stars off when it takes differences; here they count.
    """


@dataclass(frozen=True)
class BaselineALS:
    """``mean + b_u + b_i`` by alternating least squares (Koren 2010, section 2.1)."""

    epochs: int = 10
    user_regularization: float = 15.0
    item_regularization: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        _at_least(0, epochs=self.epochs)
        _at_least(0, user_regularization=self.user_regularization, item_regularization=self.item_regularization)


@dataclass(frozen=True)
class BaselineSGD:
    """``mean + b_u + b_i`` by stochastic gradient descent."""

    epochs: int = 20
    rate: float = 0.005
    regularization: float = 0.02

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        _at_least(0, epochs=self.epochs, rate=self.rate, regularization=self.regularization)


@dataclass(frozen=True)
class KNN:
    """The mean, weighted by similarity, of what the k nearest rated; neighbours are those of similarity above 0.

    centring: what is averaged: ratings (``basic``), or their deviations from the neighbour's mean (``means``), in its
    standard deviations (``z-score``, that of all ratings where it is 0), or from the ``baseline``.
    user_based: neighbours are users who rated the item, else items that the user rated.
    min_k: with fewer neighbours the deviation is 0; ``basic`` then says the mean of all.
    min_support: with fewer common ratings a similarity is 0, as it is where it is not defined.
    shrinkage: of ``pearson-baseline`` (Koren 2010, section 2.2), which needs two common ratings.
    """

    centring: Centring = "basic"
    similarity: Similarity = "msd"
    user_based: bool = True
    k: int = 40
    min_k: int = 1
    min_support: int = 1
    shrinkage: float = 100.0
    baseline: BaselineALS | BaselineSGD = field(default_factory=BaselineALS)

    def __post_init__(self) -> None:
        """Refuse what is not known and what no neighbourhood can meet."""
        for name, value, known in (
            ("centring", self.centring, Centring),
            ("similarity", self.similarity, Similarity),
        ):
            if value not in known.__args__:
                raise InputError(f"{name}={value!r} is not known; choose from {', '.join(known.__args__)}")
        _at_least(1, k=self.k, min_k=self.min_k, min_support=self.min_support)
        _at_least(0, shrinkage=self.shrinkage)

    @property
    def uses_baseline(self) -> bool:
        """Whether biases must be known."""
        return "baseline" in (self.centring, self.similarity.removeprefix("pearson-"))


@dataclass(frozen=True)
class NormalPredictor:
    """A draw from the normal distribution of the training ratings, whoever and whatever is asked for.

    seed: of NumPy's RandomState, one draw after the other in the order of what is asked.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what RandomState refuses."""
        _at_least(0, seed=self.seed)


RatingModel = SVD | SVDpp | NMF | SlopeOne | BaselineALS | BaselineSGD | KNN | NormalPredictor

MODELS: dict[str, RatingModel] = {
    "svd": SVD(),
    "svd-unbiased": SVD(biased=False),
    "svdpp": SVDpp(),
    "svdpp-cached": SVDpp(cache_ratings=True),
    "nmf": NMF(),
    "nmf-biased": NMF(biased=True),
    "slope-one": SlopeOne(),
    "knn-basic": KNN("basic"),
    "knn-means": KNN("means"),
    "knn-z-score": KNN("z-score"),
    "knn-baseline": KNN("baseline"),
    "baseline-als": BaselineALS(),
    "baseline-sgd": BaselineSGD(),
    "random": NormalPredictor(),
}


def configured(name: str, **given: Any) -> RatingModel:
    """The model of that name with the hyper-parameters given; those that it does not have are left out.

    Raises:
        InputError: no model has that name, or a value is out of its range.

    """
    if name not in MODELS:
        raise InputError(f"no rating model '{name}'; there are: {', '.join(MODELS)}")
    model = MODELS[name]
    return replace(model, **{key: value for key, value in given.items() if key in model.__dataclass_fields__})
