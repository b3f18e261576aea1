"""Workers import XGBoost without scikit-learn, which they still have, and the whole of it where a variant asks."""

import subprocess
import sys

import pytest

from .conftest import SMALL

BEGIN = "import sys; from technobench.bench import lean_import; lean_import.leave_estimators_out(); "
TRAIN = "import numpy, xgboost; xgboost.train({}, xgboost.DMatrix(numpy.eye(4), label=[0, 1, 0, 1]), 2); "
CLASSIFY = "xgboost.XGBClassifier(n_estimators=2).fit(numpy.eye(4), [0, 1, 0, 1]); "


def output(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_xgboost_works_and_brings_neither_scikit_learn_nor_pandas():
    assert output(BEGIN + TRAIN + "print('sklearn' in sys.modules, 'pandas' in sys.modules)") == ["False", "False"]


def test_scikit_learn_can_be_imported_after_it():
    assert output(BEGIN + TRAIN + "import sklearn.metrics; print(sklearn.metrics.roc_auc_score([0, 1], [0, 1]))") == [
        "1.0"
    ]


@pytest.mark.parametrize("first", ["import sklearn.base; ", "lean_import.keep_estimators(); "])
def test_estimators_are_there_where_scikit_learn_is_or_is_asked_for(first):
    assert output(BEGIN + first + TRAIN + CLASSIFY + "print('fitted')") == ["fitted"]


def test_a_variant_that_needs_scikit_learn_has_the_estimators(technobench, planted_path):
    arguments = ("--stage", "predict", "--variant", "uses-estimators", "--json", "-", "--budget", "1", *SMALL)
    assert technobench("run", *arguments, path=planted_path).row("uses-estimators")["status"] == "ok"
