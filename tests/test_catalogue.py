"""What is kept is what was made: other scales, older makers and half-made folders are not taken for it."""

import dataclasses
import threading

import pytest
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import Dataset
from technobench.pipeline.errors import InputError
from technobench.pipeline.home import new_file, new_folder


def test_scales_that_differ_a_little_are_two_datasets():
    assert catalogue.folder_of("seed", 0.01) != catalogue.folder_of("seed", 0.010000004)
    one, other = catalogue.get("seed", 0.01), catalogue.get("seed", 0.0101)
    assert (one.records, other.records) == (418, 422)


def older(name, monkeypatch):
    maker = catalogue.makers()[name]
    newer = {**catalogue.makers(), name: dataclasses.replace(maker, version=maker.version + 1)}
    monkeypatch.setattr(catalogue, "makers", lambda: newer)


def test_what_an_older_maker_made_is_made_again(monkeypatch):
    assert catalogue.get("seed", 0.005).version == 1
    older("seed", monkeypatch)
    assert catalogue.get("seed", 0.005).version == 2
    assert Dataset.load(catalogue.folder_of("seed", 0.005)).version == 2


def test_what_was_made_from_files_is_not_made_again_by_itself(own_home, monkeypatch):
    folder = catalogue.folder_of("debian")
    folder.mkdir(parents=True)
    made = catalogue.get("whotracksme")
    (folder / "records.parquet").write_bytes(made.path.read_bytes())
    dataclasses.replace(made, folder=folder, name="debian").save()
    older("debian", monkeypatch)
    with pytest.raises(InputError, match="made by an older version"):
        catalogue.get("debian")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_damaged_dataset_is_named():
    folder = catalogue.folder_of("damaged")
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        catalogue.get("damaged")
    (folder / "dataset.json").unlink()
    folder.rmdir()


def test_an_error_leaves_nothing_half_made(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "whole") as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    (tmp_path / "file").write_text("old")
    with pytest.raises(RuntimeError), new_file(tmp_path / "file") as path:
        path.write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_many_that_make_the_same_leave_one(tmp_path):
    def make(number):
        with new_folder(tmp_path / "same") as folder:
            (folder / "by").write_text(str(number))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["same"]
    assert (tmp_path / "same" / "by").read_text().isdigit()
