"""The committed sample of WhoTracks.Me: its size, no category in it, and something to learn."""

import importlib.util
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from technobench.pipeline.datasets import whotracksme
from technobench.pipeline.datasets.dataset import Dataset
from technobench.pipeline.technologies import items

TOOL = Path(__file__).parents[1] / "tools" / "make_whotracksme_sample.py"
CATEGORIES = {"banking", "business", "e-commerce", "entertainment", "news and portals", "recreation", "reference"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return whotracksme.make(tmp_path_factory.mktemp("dataset"), 1.0, (), lambda done, total: None)


@pytest.fixture(scope="module")
def records(dataset):
    return pd.read_parquet(dataset.path)


def test_size_is_that_of_the_source(dataset, records):
    # Counted in the wheel: sites with a category other than 'Adult', distinct names of their trackers, pairs of both.
    matrix = records["technologies"].str.get_dummies("|")
    assert matrix.shape == (1_224, 851)
    assert matrix.to_numpy().sum() == 27_379
    # The suite's own reading of the cells agrees with that of pandas.
    cells = [items(cell, dataset.delimiter) for cell in records["technologies"]]
    assert (len(set.union(*cells)), sum(map(len, cells))) == (851, 27_379)


def test_dataset_says_what_the_file_holds(dataset, records):
    assert Dataset.load(dataset.folder) == dataset
    assert dataset.records == dataset.training_records == len(records)
    roles = [dataset.identifier, dataset.technologies, dataset.label, *(column.name for column in dataset.columns)]
    assert list(records.columns) == roles
    assert records["site"].is_unique
    assert not records.isna().any().any()
    assert records["is_ecommerce"].dtype == np.int8
    assert all(
        pd.api.types.is_string_dtype(records[column.name])
        if column.kind == "categorical"
        else records[column.name].dtype == np.float64
        for column in dataset.columns
    )


def test_label_share(records):
    assert records["is_ecommerce"].value_counts().to_dict() == {0: 1_053, 1: 171}
    shops = records.set_index("site")["is_ecommerce"]
    assert shops[["amazon.com", "ebay.de", "zalando.de"]].eq(1).all()
    assert shops[["google.com", "wikipedia.org", "spiegel.de"]].eq(0).all()


def test_category_is_in_no_column(records):
    assert not any("categor" in name for name in records.columns)
    strings = records.select_dtypes(exclude="number").drop(columns="technologies")
    assert not {str(cell).casefold() for cell in strings.to_numpy().ravel()} & CATEGORIES
    names = set(records["technologies"].str.casefold().str.split("|").explode())
    assert not names & CATEGORIES
    # No column gives the label away by itself.
    for name in records.select_dtypes("float64"):
        assert abs(roc_auc_score(records["is_ecommerce"], records[name]) - 0.5) < 0.3, name


def test_sample_is_small_and_attributed(dataset):
    assert whotracksme.SAMPLE.stat().st_size < 100_000
    attribution = whotracksme.SAMPLE.with_name("whotracksme.ATTRIBUTION.txt").read_text(encoding="utf-8")
    for part in ("WhoTracks.Me", "Cliqz", "Ghostery", "creativecommons.org/licenses/by/4.0", "Changed", "April 2018"):
        assert part in attribution
    for part in ("WhoTracks.Me", "CC BY 4.0", "2018"):
        assert part in dataset.source


def test_trackers_tell_shops_from_other_sites(records):
    matrix = records["technologies"].str.get_dummies("|").to_numpy(np.float32)
    labels = records["is_ecommerce"].to_numpy()
    train, test, train_labels, test_labels = train_test_split(
        matrix, labels, test_size=0.4, random_state=0, stratify=labels
    )
    model = xgboost.XGBClassifier(n_estimators=60, max_depth=4, learning_rate=0.2, n_jobs=1, random_state=0)
    model.fit(train, train_labels)
    assert 0.75 < roc_auc_score(test_labels, model.predict_proba(test)[:, 1]) < 0.97


def test_tool_reads_a_wheel(tmp_path):
    wheel = tmp_path / "data.whl"
    numbers = ",".join(whotracksme.NUMERIC)
    with zipfile.ZipFile(wheel, "w") as written:
        written.writestr(
            "whotracksme/data/assets/2018-04/global/sites.csv",
            f"site,category,{numbers}\n"
            + "".join(
                f"{site},{category}" + ",0.123456" * len(whotracksme.NUMERIC) + "\n"
                for site, category in [
                    ("b.org", "Reference"),
                    ("a.de", "E-Commerce"),
                    ("adult.com", "Adult "),
                    ("unlabelled.com", ""),
                ]
            ),
        )
        written.writestr(
            "whotracksme/data/assets/2018-04/global/sites_trackers.csv",
            "site,tracker\na.de,two\na.de,one\na.de,same\nb.org,bar\nadult.com,one\nelsewhere.com,one\n",
        )
        written.writestr(
            "whotracksme/data/assets/trackerdb.sql",
            "CREATE TABLE trackers (id TEXT, name TEXT);"
            "INSERT INTO trackers VALUES ('one', 'One '), ('two', 'Two'), ('same', 'Two'), ('bar', 'G+J e|MS');",
        )
    specification = importlib.util.spec_from_file_location("make_whotracksme_sample", TOOL)
    tool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tool)
    made = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    for path in made:
        tool.main(wheel, path)
    assert made[0].read_bytes() == made[1].read_bytes()
    sample = pd.read_parquet(made[0])
    assert sample.iloc[:, :4].to_numpy().tolist() == [
        ["a.de", "One|Two", 1, "de"],
        ["b.org", "G+J e MS", 0, "org"],
    ]
    assert (sample[list(whotracksme.NUMERIC)] == 0.123).all().all()
