"""The seed dataset: its exact shape, counted anew from the file, and the dirt of its dirty twin."""

import unicodedata

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from technobench.pipeline.datasets.dataset import Dataset
from technobench.pipeline.datasets.seed import BATCH, MAKERS
from technobench.pipeline.errors import InputError
from technobench.pipeline.technologies import items

MAKE = {maker.name: maker.make for maker in MAKERS}
CURVE = {10_000: 4_819, 20_000: 5_605, 30_000: 6_219, 40_000: 6_421}


def made(name, scale, folder, progress=lambda done, total: None):
    folder.mkdir(parents=True)
    return MAKE[name](folder, scale, (), progress)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return made("seed", 1.0, tmp_path_factory.mktemp("clean") / "seed@1")


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    return made("seed-dirty", 1.0, tmp_path_factory.mktemp("dirty") / "seed-dirty@1")


@pytest.fixture(scope="module")
def frame(clean):
    return pd.read_parquet(clean.path)


@pytest.fixture(scope="module")
def lists(frame):
    return [cell.split("|") if cell else [] for cell in frame["technologies"]]


def test_records_columns_and_roles(clean, frame):
    assert (clean.records, clean.training_records) == (41_776, 41_776)
    assert frame.shape == (41_776, 63)
    assert [column.name for column in clean.columns] == list(frame.columns[3:])
    assert list(frame.columns[:3]) == [clean.identifier, clean.technologies, clean.label]
    assert frame[clean.identifier].is_unique
    assert not frame[[clean.identifier, clean.technologies, clean.label]].isna().to_numpy().any()
    assert frame[clean.label].dtype == np.int8 and set(frame[clean.label]) == {0, 1}
    assert Dataset.load(clean.folder) == clean


def test_stored_types(clean):
    types = {field.name: str(field.type) for field in pq.read_schema(clean.path)}
    for column in clean.columns:
        assert types[column.name] == ("string" if column.kind == "categorical" else "double"), column.name


def test_technologies_and_non_zeros(lists):
    names = [{name.strip().casefold() for name in record} for record in lists]
    assert sum(map(len, names)) == 641_316
    assert len(set().union(*names)) == 6_450
    assert all(len(name) == len(record) for name, record in zip(names, lists, strict=True)), "a name twice"
    assert all(item == item.strip() and item for record in lists for item in record)
    assert any(not record for record in lists), "some companies use none of the technologies"


def test_names_differ_after_the_normaliser(frame, lists):
    raw = {item for record in lists for item in record}
    assert len(set().union(*(items(cell, "|") for cell in frame["technologies"]))) == len(raw) == 6_450
    assert {"C", "C++", "C#", ".NET", "Node.js", "R", "Ruby", "Java", "JavaScript", "Go", "Google Analytics"} <= raw
    assert any(not name.isascii() for name in raw)


@pytest.mark.parametrize(("records", "expected"), CURVE.items())
def test_discovery_curve(lists, records, expected):
    assert len(set().union(*lists[:records])) == pytest.approx(expected, rel=0.03)


def test_list_sizes_are_those_of_a_negative_binomial(lists):
    sizes = np.array([len(record) for record in lists])
    assert sizes.mean() == pytest.approx(15.35, abs=0.01)
    assert sizes.var() == pytest.approx(15.35 + 15.35**2 / 2, rel=0.05)


def test_final_columns(clean, frame):
    firmographics = 0
    for column in clean.columns:
        values = frame[column.name]
        firmographics += values.nunique() if column.kind == "categorical" else 1
        firmographics += int(values.isna().any())
    assert firmographics == 444
    assert 6_450 + firmographics == 6_894


def test_every_category_and_null_is_certain_to_occur(clean, frame):
    for column in clean.columns:
        nulls = int(frame[column.name].isna().sum())
        assert nulls == 0 or 200 < nulls < 0.31 * len(frame), column.name
        if column.kind == "categorical":
            assert frame[column.name].value_counts().min() >= 50, column.name
        else:
            assert np.isfinite(frame[column.name].dropna()).all()


def test_firmographics_agree_with_one_another(frame):
    assert (frame.groupby("country")["currency"].nunique() == 1).all()
    assert (frame.groupby("industry")["sector"].nunique() == 1).all()
    by_band = frame.groupby("size_band")["employees"].agg(["min", "max"])
    assert tuple(by_band.loc["51-200"]) == (51, 200)
    assert frame["employees"].corr(frame["revenue_usd"], method="spearman") > 0.5


def test_label_can_be_learnt_and_is_not_given_away(clean, frame, lists):
    label = frame[clean.label].to_numpy()
    assert label.mean() == pytest.approx(0.14, abs=0.005)
    by_industry = frame.groupby("industry")[clean.label].mean()
    assert 0.03 < by_industry.min() < 0.10 and 0.20 < by_industry.max() < 0.60
    companies = pd.Series([item for record in lists for item in record]).value_counts()
    lifts = []
    for name in companies.index[:120]:
        share = label[[name in record for record in lists]].mean()
        lifts.append(abs(share - 0.14) * np.sqrt(companies[name] / (0.14 * 0.86)))
    assert sum(lift > 6 for lift in lifts) >= 15, "technologies that tell something of the label"


@pytest.mark.parametrize("name", ["seed", "seed-dirty"])
def test_same_scale_same_bytes(tmp_path, name):
    first, second = (made(name, 0.5, tmp_path / folder) for folder in ("first", "second"))
    assert first.digest == second.digest


@pytest.mark.parametrize("scale", [0.0001, 0.01, 0.5, 2.5])
def test_scales_by_factor_batch_by_batch(tmp_path, scale):
    calls = []
    dataset = made("seed", scale, tmp_path / "made", lambda done, total: calls.append((done, total)))
    cells = pq.read_table(dataset.path, columns=["technologies"]).column(0).to_pylist()
    assert len(cells) == dataset.records == dataset.training_records == round(41_776 * scale)
    assert sum(len(set(cell.split("|"))) for cell in cells if cell) == round(641_316 * scale)
    assert calls[-1] == (dataset.records, dataset.records)
    metadata = pq.ParquetFile(dataset.path).metadata
    sizes = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert len(calls) == len(sizes) == -(-dataset.records // BATCH) and max(sizes) <= BATCH


def test_refuses_a_scale_without_records(tmp_path):
    with pytest.raises(InputError, match=r"--scale 1e-06.*use 2e-05 or more"):
        made("seed", 1e-6, tmp_path / "none")
    assert made("seed", 2e-5, tmp_path / "one").records == 1


def test_dirty_has_the_same_records(clean, dirty, frame):
    soiled = pd.read_parquet(dirty.path)
    others = [name for name in frame.columns if name != clean.technologies]
    pd.testing.assert_frame_equal(soiled[others], frame[others])
    known = soiled[clean.technologies].notna()
    assert (~known).mean() == pytest.approx(0.01, abs=0.002)
    pairs = zip(soiled[clean.technologies][known], frame[clean.technologies][known], strict=True)
    assert all(items(spelled, "|") == items(cell, "|") for spelled, cell in pairs)


def test_dirty_has_each_kind_of_dirt(dirty, lists):
    cells = pd.read_parquet(dirty.path)[dirty.technologies].dropna()
    texts = {item for cell in cells for item in cell.split("|")}
    spelled_clean = {item for record in lists for item in record}
    assert {"", "|"} <= set(cells)
    assert cells.str.contains("||", regex=False).any()
    assert cells.str.startswith("|").any() and cells.str.endswith("|").any()
    assert {text.strip(" ") for text in texts if text.isspace()}, "a blank item"
    for outer in (" JavaScript", "JavaScript  ", "\tJavaScript\u00a0", "JAVASCRIPT", "javascript", "jAVAsCRIPT"):
        assert outer in texts
    folded = [[item.strip().casefold() for item in cell.split("|") if item.strip()] for cell in cells]
    assert sum(len(record) > len(set(record)) for record in folded) > 10_000, "repeats within a record"
    decomposed = {text for text in texts if unicodedata.normalize("NFC", text) != text}
    assert {unicodedata.normalize("NFC", text) for text in decomposed} & spelled_clean
