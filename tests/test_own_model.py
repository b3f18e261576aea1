"""An XGBoost model of the user's own: its features are checked against the data's, and no pickle is opened."""

import pickle

import numpy as np
import pytest
from technobench.pipeline.datasets.dataset import Dataset
from technobench.pipeline.datasets.own import add as own_add
from technobench.pipeline.datasets.own.model import check_model_features, load_model
from technobench.pipeline.errors import InputError

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def model(tmp_path):
    """Train a small model on named features (None for no names) and save it."""

    def train_and_save(names, width=3, file="model.json", booster="gbtree"):
        import xgboost

        random_state = np.random.default_rng(0)
        features = random_state.random((60, len(names) if names else width))
        matrix = xgboost.DMatrix(features, features[:, 0] > 0.5, feature_names=names)
        path = tmp_path / file
        parameters = {"objective": "binary:logistic", "booster": booster}
        xgboost.train(parameters, matrix, 3).save_model(path)
        return path

    return train_and_save


@pytest.mark.parametrize("file", ["model.json", "model.ubj"])
def test_models_that_match(model, file):
    path = model(["a", "b|c", "ü"], file=file)
    check_model_features(path, ["a", "b|c", "ü"])
    check_model_features(model(None, width=4, file=file), list("wxyz"))


def test_models_whose_features_do_not_match(model):
    path = model(["a", "b", "c"])
    with pytest.raises(InputError) as caught:
        check_model_features(path, ["a", "x", "y"])
    message = str(caught.value)
    assert "2 features of the model are not in the dataset, first 'b'" in message
    assert "2 columns of the dataset are not in the model, first 'x'" in message
    with pytest.raises(InputError, match="2 are out of order, first number 2: 'b' in the model, 'c' in the dataset"):
        check_model_features(path, ["a", "c", "b"])
    with pytest.raises(InputError, match="1 columns of the dataset are not in the model, first 'a'"):
        check_model_features(path, ["a", "a", "b", "c"])
    with pytest.raises(InputError, match="3 features without names and the dataset has 2 final columns"):
        check_model_features(model(None), ["a", "b"])


class _Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("name", ["model.json", "model.ubj", "model.pkl", "model.joblib"])
def test_pickles_are_never_opened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(InputError, match="pickle"):
        load_model(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.json", b""),
        ("model.json", b"id,technologies\n"),
        ("model.json", b"{}"),
        ("model.json", b'{"learner": 3}'),
        ("model.json", b'{"learner": {"a'),
        ("model.ubj", b"{"),
        ("model.ubj", b'{"learner": {}}'),
        ("model.bin", b"{}"),
    ],
)
def test_files_that_are_no_models(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        load_model(path)


@pytest.mark.filterwarnings("ignore:.*gblinear")
def test_models_in_the_other_format_absent_and_linear(model, tmp_path):
    path = model(["a", "b"], file="model.ubj")
    path.rename(tmp_path / "renamed.json")
    with pytest.raises(InputError, match=r"renamed\.json"):
        load_model(tmp_path / "renamed.json")
    with pytest.raises(InputError, match="no such model file"):
        load_model(tmp_path / "absent.json")
    with pytest.raises(InputError, match="gblinear"):
        load_model(model(["a"], file="linear.json", booster="gblinear"))


def test_a_model_is_kept_beside_the_records(added, refused, model, monkeypatch):
    monkeypatch.setattr(own_add, "final_columns", lambda dataset: ["a", "b"])
    message = refused("x.csv", "technologies\na|b\n", model=model(["a", "c"]))
    assert "first 'c'" in message
    path = model(["a", "b"], file="model.ubj")
    dataset, _, _ = added("x.csv", "technologies\na|b\n", model=path)
    assert dataset.model == "model.ubj"
    assert (dataset.folder / "model.ubj").read_bytes() == path.read_bytes()
    assert Dataset.load(dataset.folder) == dataset


def test_a_model_of_the_final_columns_is_taken(added, model):
    """With the features stage itself: categories, numbers and technologies in its order."""
    pytest.importorskip("technobench.pipeline.workload")
    content = "technologies,size,x\nb|A,small,1\nc,large,\n"
    without, _, _ = added("x.csv", content)
    columns = own_add.final_columns(without)
    assert {"a", "b", "c", "x"} <= set(columns)
    dataset, _, _ = added("x.csv", content, keep_as="other", model=model(list(columns)))
    assert dataset.model == "model.json"
