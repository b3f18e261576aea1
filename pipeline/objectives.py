"""XGBoost's objectives, as far as a score depends on them: the base score as a margin, and a margin as a prediction.

Source: XGBoost documentation, "Learning Task Parameters" and "Intercept"; its sources, ``src/objective``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .errors import UnsupportedModelError

LEAST_STEP = 1e-6
"""By how much at least an expectile lies above the one before (``kRtEps``)."""


def _identity(values: np.ndarray) -> np.ndarray:
    return values


def _logit(scores: np.ndarray) -> np.ndarray:
    return -np.log(np.float32(1) / scores - np.float32(1))


def _probability(margins: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-margins))


def _class_probabilities(margins: np.ndarray) -> np.ndarray:
    weights = np.exp(margins - margins.max(axis=0))
    return weights / weights.sum(axis=0)


def _likeliest_class(margins: np.ndarray) -> np.ndarray:
    # In the precision of the answer, so that the class is the largest of the margins as they are given out.
    return margins.astype(np.float32).argmax(axis=0, keepdims=True)


def _is_positive(margins: np.ndarray) -> np.ndarray:
    return margins > 0


def _ascending(margins: np.ndarray) -> np.ndarray:
    return np.sort(margins, axis=0)


def _inverse_softplus_of_steps(scores: np.ndarray) -> np.ndarray:
    steps = np.maximum(np.diff(scores.astype(np.float64)) - LEAST_STEP, LEAST_STEP)
    return np.append(scores[:1], np.log(np.expm1(steps))).astype(np.float32)


def _rising_by_softplus(margins: np.ndarray) -> np.ndarray:
    steps = LEAST_STEP + np.logaddexp(0, margins[1:])
    return np.cumsum(np.concatenate([margins[:1], steps]), axis=0)


@dataclass(frozen=True)
class Objective:
    """The two ends of a score.

    margin_of_base_score: float32[outputs] to float32[outputs]; in float32 and by XGBoost's own formula, since near 1
        the logit itself is off by 1e-5, and so is every margin of the model.
    value_of_margin: [outputs, n] margins to [outputs, n], or [1, n] for a class, predictions.
    """

    margin_of_base_score: Callable[[np.ndarray], np.ndarray] = _identity
    value_of_margin: Callable[[np.ndarray], np.ndarray] = _identity


_PLAIN, _LOG, _LOGISTIC = Objective(), Objective(np.log, np.exp), Objective(_logit, _probability)

OBJECTIVES: Mapping[str, Objective] = {
    "binary:hinge": Objective(value_of_margin=_is_positive),
    "binary:logistic": _LOGISTIC,
    "binary:logitraw": _PLAIN,
    "count:poisson": _LOG,
    "multi:softmax": Objective(value_of_margin=_likeliest_class),
    "multi:softprob": Objective(value_of_margin=_class_probabilities),
    "rank:map": _PLAIN,
    "rank:ndcg": _PLAIN,
    "rank:pairwise": _PLAIN,
    "reg:absoluteerror": _PLAIN,
    "reg:expectileerror": Objective(_inverse_softplus_of_steps, _rising_by_softplus),
    "reg:gamma": _LOG,
    "reg:logistic": _LOGISTIC,
    "reg:pseudohubererror": _PLAIN,
    "reg:quantileerror": _PLAIN,
    "reg:squarederror": _PLAIN,
    "reg:squaredlogerror": _PLAIN,
    "reg:tweedie": _LOG,
    "survival:aft": _LOG,
    "survival:cox": _LOG,
}


def objective(name: str, version: tuple[int, ...]) -> Objective:
    """The objective of XGBoost's name, as a version of XGBoost (3, 4, 1) takes it.

    Raises:
        UnsupportedModelError: what it makes of base scores and margins is not known here.

    """
    if name not in OBJECTIVES:
        raise UnsupportedModelError(f"objective '{name}' is not supported; known: {', '.join(OBJECTIVES)}")
    if name == "reg:quantileerror" and version >= (3, 4):
        return Objective(value_of_margin=_ascending)  # so that quantiles do not cross
    return OBJECTIVES[name]
