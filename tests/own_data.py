"""Fixtures of the tests of a user's own data: a home, and a file that is written and added, or refused."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from technobench.pipeline.datasets.own.add import OwnData, add
from technobench.pipeline.datasets.own.interactions import OwnInteractions, add_interactions
from technobench.pipeline.datasets.own.roles import Roles
from technobench.pipeline.errors import InputError


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("TECHNOBENCH_HOME", str(folder))
    return folder


@pytest.fixture
def added(tmp_path):
    """Write a file and add it; returns the dataset, its table and the outcome of the columns."""

    def write_and_add(name, content, **options):
        dataset, uses = add(own_data(tmp_path, name, content, **options), lambda done, total: None)
        return dataset, pq.read_table(dataset.path), {use.column: use for use in uses}

    return write_and_add


@pytest.fixture
def refused(tmp_path, own_home):
    """Write a file, expect it to be refused and nothing to be kept; returns the message."""

    def write_and_refuse(name, content, **options):
        with pytest.raises(InputError) as caught:
            add(own_data(tmp_path, name, content, **options), lambda done, total: None)
        kept = list((own_home / "datasets").iterdir()) if (own_home / "datasets").is_dir() else []
        assert kept == []
        return str(caught.value)

    return write_and_refuse


ROLES = ("id", "technologies", "delimiter", "label", "positive", "categorical", "numeric", "ignore")


def own_data(folder, name, content, **options):
    """What `add` takes, after the content is written."""
    path = written_file(folder, name, content)
    roles = Roles(**{key: options.pop(key) for key in ROLES if key in options})
    return OwnData(path, options.pop("keep_as", "mine"), roles, **options)


def written_file(folder, name, content):
    """The path of a file with the content: text, bytes, or a table or frame as Parquet; None for no file."""
    path = folder / name
    if isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    elif isinstance(content, pa.Table):
        pq.write_table(content, path)
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def kept_interactions(tmp_path):
    """Write a file and add it; returns the dataset and its three tables as dictionaries."""

    def write_and_add(name, content, **options):
        columns = {"user": "who", "item": "what", **options}
        own = OwnInteractions(written_file(tmp_path, name, content), columns.pop("keep_as", "mine"), **columns)
        dataset = add_interactions(own, lambda done, total: None)
        return dataset, *(pq.read_table(dataset.folder / file).to_pydict() for file in dataset.files)

    return write_and_add


@pytest.fixture
def refused_interactions(kept_interactions, own_home):
    """Expect the file to be refused and nothing to be kept; returns the message."""

    def write_and_refuse(name, content, **options):
        with pytest.raises(InputError) as caught:
            kept_interactions(name, content, **options)
        assert [*own_home.rglob("*.parquet"), *own_home.rglob("*@1")] == []
        return str(caught.value)

    return write_and_refuse
