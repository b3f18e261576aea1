"""What recommendation starts from: the same of every kind of dataset, and a clear refusal of the wrong kind."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from technobench.pipeline import registry
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import Dataset, InteractionDataset, RatingDataset
from technobench.pipeline.datasets.interaction_file import numbered, write_ids, write_rows
from technobench.pipeline.errors import InputError
from technobench.pipeline.workload import Workload

ROWS = {
    "user": np.array([1, 0, 1, 3, 1], np.int32),
    "item": np.array([2, 0, 2, 1, 0], np.int32),
    "value": np.array([2, 1, 0.5, 4, 3], np.float32),
    "timestamp": np.array([9, 8, 7, 6, 5], np.int64),
}
"""Four users, one of them with nothing, and three items; user 1 and item 2 are twice there."""


@pytest.fixture
def kept(tmp_path):
    def keep(kind, *columns):
        folder = tmp_path / "-".join(columns)
        folder.mkdir()
        write_rows(folder, columns, [[ROWS[name][:2] for name in columns], [ROWS[name][2:] for name in columns]])
        write_ids(folder, numbered("u", 4), numbered("i", 3))
        return kind(
            folder=folder,
            name="small",
            scale=1.0,
            records=5,
            columns=columns,
            users=4,
            items=3,
            digest="",
            source="made by a test",
        ).save()

    return keep


def test_times_are_the_last_of_each_pair_in_the_order_of_the_matrix(kept):
    assert Workload(kept(RatingDataset, "user", "item", "value", "timestamp")).interaction_times().tolist() == [
        8,
        5,
        9,
        6,
    ]
    assert Workload(kept(InteractionDataset, "user", "item")).interaction_times() is None


@pytest.mark.parametrize(
    ("kind", "columns", "expected"),
    [
        (InteractionDataset, ("user", "item"), [[1, 0, 0], [1, 0, 2], [0, 0, 0], [0, 1, 0]]),
        (InteractionDataset, ("user", "item", "timestamp"), [[1, 0, 0], [1, 0, 2], [0, 0, 0], [0, 1, 0]]),
        (InteractionDataset, ("user", "item", "value"), [[1, 0, 0], [3, 0, 2.5], [0, 0, 0], [0, 4, 0]]),
        (RatingDataset, ("user", "item", "value"), [[1, 0, 0], [1, 0, 2], [0, 0, 0], [0, 1, 0]]),
    ],
)
def test_values_of_repeated_pairs_are_summed(kept, kind, columns, expected):
    interactions = Workload(kept(kind, *columns)).interactions()
    assert interactions.matrix.toarray().tolist() == expected
    assert interactions.matrix.has_canonical_format and interactions.matrix.dtype == np.float32
    assert interactions.user_ids == ("u0000000", "u0000001", "u0000002", "u0000003")
    assert interactions.item_ids == ("i0000000", "i0000001", "i0000002")


def test_ratings_are_the_rows_of_the_file(kept):
    ratings = Workload(kept(RatingDataset, *ROWS)).ratings()
    for found, name in zip((ratings.users, ratings.items, ratings.values, ratings.timestamps), ROWS, strict=True):
        assert found.tolist() == ROWS[name].tolist()
        assert found.dtype == (np.float64 if name == "value" else ROWS[name].dtype), "models compute in float64"
    assert (len(ratings), ratings.scale) == (5, (0.5, 4.0))
    last = ratings.of(np.array([4, 3]))
    assert (last.values.tolist(), last.timestamps.tolist(), last.scale) == ([3, 4], [5, 6], (0.5, 4.0))
    assert Workload(kept(RatingDataset, "user", "item", "value")).ratings().timestamps is None


def test_a_dataset_without_a_rating_is_refused(kept, monkeypatch):
    for name, column in ROWS.items():
        monkeypatch.setitem(ROWS, name, column[:0])
    with pytest.raises(InputError, match="'small' has no ratings; choose one that has"):
        Workload(kept(RatingDataset, *ROWS)).ratings()


def test_records_are_companies_x_technologies():
    dataset = catalogue.get("whotracksme")
    interactions = Workload(dataset).interactions()
    records = pd.read_parquet(dataset.path)
    expected = records["technologies"].str.lower().str.get_dummies("|")
    ours = pd.DataFrame(interactions.matrix.toarray(), columns=list(interactions.item_ids))
    assert (ours[expected.columns].to_numpy() == expected.to_numpy()).all()
    assert ours.shape == expected.shape
    assert list(interactions.user_ids) == records["site"].tolist()
    assert interactions.matrix.dtype == np.float32


def test_the_wrong_kind_is_refused(kept):
    interactions = Workload(kept(InteractionDataset, "user", "item"))
    with pytest.raises(InputError, match="'small' has interactions, not ratings"):
        interactions.ratings()
    records = Workload(catalogue.get("whotracksme"))
    with pytest.raises(InputError, match="has records, not ratings"):
        records.ratings()
    with pytest.raises(InputError, match="has records, not interactions or ratings"):
        records.items()
    for stage in registry.stages().values():
        if stage.kinds == ("records",):
            with pytest.raises(InputError, match="'small' has interactions, not records"):
                stage.problem(interactions)


def test_every_file_and_the_kind_are_in_the_digest(kept):
    dataset = kept(InteractionDataset, "user", "item", "value")
    assert Dataset.load(dataset.folder) == dataset
    as_ratings = RatingDataset(**{**vars(dataset), "digest": ""}).save()
    assert as_ratings.digest == dataset.digest
    assert Workload(as_ratings).problem_digest != Workload(dataset).problem_digest
    for write in ((numbered("x", 4), numbered("i", 3)), (numbered("u", 4), numbered("x", 3))):
        write_ids(dataset.folder, *write)
        assert dataset.save().digest != dataset.digest


def test_what_was_kept_before_there_were_kinds_are_records():
    dataset = catalogue.get("whotracksme")
    path = dataset.folder / "dataset.json"
    text = path.read_text(encoding="utf-8")
    assert '"kind": "records"' in text
    path.write_text(text.replace(' "kind": "records",\n', ""), encoding="utf-8")
    try:
        assert dataclasses.asdict(Dataset.load(dataset.folder)) == dataclasses.asdict(dataset)
        path.write_text(text.replace('"records",', '"strange",'), encoding="utf-8")
        with pytest.raises(InputError, match="damaged"):
            Dataset.load(dataset.folder)
    finally:
        path.write_text(text, encoding="utf-8")
