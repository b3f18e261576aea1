"""A booster as a model of Intel oneDAL."""

import json
from typing import TYPE_CHECKING, Any

from ..kernels.threads import thread_count

if TYPE_CHECKING:
    import xgboost


_AS_REGRESSION = {"binary:logistic": "reg:logistic", "binary:logitraw": "reg:squarederror"}


def daal_model(booster: "xgboost.Booster") -> Any:
    """daal4py's model of all trees, whose ``predict`` gives margins or, with ``pred_contribs``, explanations.

    Its models for classifiers give probabilities alone, those for regression what the trees add up to: so a classifier
    is passed on as the regression of the same trees and the same base score.
    """
    import daal4py

    daal4py.daalinit(thread_count())
    booster.feature_names = None  # it looks features up by name, and by number where there are none
    booster.set_attr(best_iteration=None)
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    booster.set_param({"objective": _AS_REGRESSION.get(objective, objective)})
    return daal4py.mb.convert_model(booster)
