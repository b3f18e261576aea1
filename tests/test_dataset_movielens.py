"""MovieLens as published: the three formats, zips and folders, what is damaged, and getting it after the licence."""

import dataclasses
import functools
import hashlib
import http.server
import socket
import threading
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from technobench.bench.commands.data import data
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import Dataset
from technobench.pipeline.datasets.movielens import archive, maker, releases
from technobench.pipeline.datasets.movielens.read import GENRES_100K
from technobench.pipeline.datasets.movielens.releases import RELEASES
from technobench.pipeline.errors import InputError
from technobench.pipeline.workload import Workload

ROWS = [(7, 30, 5, 978300760), (7, 2, 1, 978300761), (1, 2, 3, 978300000), (10, 30, 4, 978299999)]
"""User, item, stars, time: four ratings of three users and two items, in no order."""

FILMS = {2: ("Misérables, Les (1995)", ["Drama", "War"]), 30: ("Toy Story: 1 (1995)", []), 31: ("Unrated", ["War"])}


def flags(genres):
    return "|".join(str(int(name in (genres or ["unknown"]))) for name in GENRES_100K)


def csv_title(title):
    return f'"{title}"' if "," in title else title


FILES = {
    "ml-100k": {
        "u.data": "".join("\t".join(map(str, row)) + "\n" for row in ROWS).encode(),
        "u.item": "".join(
            f"{number}|{title}|01-Jan-1995||http://us.imdb.com/M/x|{flags(genres)}\n"
            for number, (title, genres) in FILMS.items()
        ).encode("iso-8859-1")
        + b"\n",
    },
    "ml-1m": {
        "ratings.dat": "".join("::".join(map(str, row)) + "\n" for row in ROWS).encode(),
        "movies.dat": "".join(
            f"{number}::{title}::{'|'.join(genres or ['unknown'])}\n" for number, (title, genres) in FILMS.items()
        ).encode("iso-8859-1"),
    },
    "ml-20m": {
        "ratings.csv": (
            "userId,movieId,rating,timestamp\n" + "".join(f"{u},{i},{r}.0,{t}\n" for u, i, r, t in ROWS)
        ).encode(),
        "movies.csv": (
            "movieId,title,genres\r\n"
            + "".join(
                f"{number},{csv_title(title)},{'|'.join(genres or ['(no genres listed)'])}\r\n"
                for number, (title, genres) in FILMS.items()
            )
        ).encode(),
    },
}


def release_of(name, **changed):
    return dataclasses.replace(
        RELEASES[name], **{"ratings": 4, "users": 3, "items": 2, "ratings_blob": None, **changed}
    )


def as_folder(path, name, **changed):
    path.mkdir(parents=True, exist_ok=True)
    for file, content in {**FILES[name], **changed}.items():
        (path / file).write_bytes(content)
    return path


def as_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members:
            written.writestr(name, content)
    return path


def members(name):
    return [(f"{name}/{file}", content) for file, content in FILES[name].items()]


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def make(tmp_path):
    """Make a dataset of a small release from a path."""

    def made(name, path, **changed):
        target = tmp_path / "made"
        target.mkdir(exist_ok=True)
        return maker.make(release_of(name, **changed), target, 1.0, [path], lambda done, total: None)

    return made


@pytest.fixture(autouse=True)
def _room(monkeypatch):
    """Of so few ratings, the titles alone are more than 64 bytes per rating."""
    monkeypatch.setattr(archive, "_MOST_BYTES_PER_RATING", 1_000)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("form", ["zip", "folder", "outer folder"])
def test_each_format_as_published(name, form, make, tmp_path):
    if form == "zip":
        path = as_zip(tmp_path / "x.zip", members(name))
        dataset = make(name, path, md5=md5(path))
    elif form == "folder":
        dataset = make(name, as_folder(tmp_path / "here", name))
    else:
        as_folder(tmp_path / "outer" / name, name)
        dataset = make(name, tmp_path / "outer")
    assert Dataset.load(dataset.folder) == dataset
    assert (dataset.kind, dataset.records, dataset.users, dataset.items) == ("ratings", 4, 3, 2)
    workload = Workload(dataset)
    ratings = workload.ratings()
    assert (ratings.user_ids, ratings.item_ids) == (("1", "7", "10"), ("2", "30")), "in the order of numbers"
    assert (ratings.users.tolist(), ratings.users.dtype) == ([1, 1, 0, 2], np.int32)
    assert (ratings.items.tolist(), ratings.items.dtype) == ([1, 0, 0, 1], np.int32)
    assert (ratings.values.tolist(), ratings.values.dtype) == ([5, 1, 3, 4], np.float64)
    assert ratings.timestamps.tolist() == [row[3] for row in ROWS] and ratings.timestamps.dtype == np.int64
    assert workload.items().to_pydict() == {
        "id": ["2", "30"],
        "title": [FILMS[2][0], FILMS[30][0]],
        "genres": [["Drama", "War"], []],
    }
    assert workload.interactions().matrix.toarray().tolist() == [[1, 0], [1, 1], [0, 1]]


def test_half_stars_are_of_the_later_releases_alone(make, tmp_path):
    half = FILES["ml-20m"]["ratings.csv"].replace(b",3.0,", b",3.5,")
    dataset = make("ml-20m", as_folder(tmp_path / "f", "ml-20m", **{"ratings.csv": half}))
    assert pq.read_table(dataset.path)["value"].to_pylist() == [5, 1, 3.5, 4]
    half = FILES["ml-1m"]["ratings.dat"].replace(b"::3::", b"::3.5::")
    with pytest.raises(InputError, match=r"rating number 3 is of 3\.5 stars"):
        make("ml-1m", as_folder(tmp_path / "g", "ml-1m", **{"ratings.dat": half}))


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "said"),
    [
        ("ml-1m", "ratings.dat", b"10::30::4::978299999\n", b"", "3 ratings, and 4 as published"),
        ("ml-1m", "ratings.dat", b"4::978299999\n", b"4", "not as published.*Expected 4 columns, got 3"),
        ("ml-1m", "ratings.dat", b"10::30", b"10::x", "not as published.*invalid value 'x'"),
        ("ml-1m", "ratings.dat", b"10::30", b"10::", "a rating lacks a number"),
        ("ml-1m", "ratings.dat", b"30::4", b"30::9", "rating number 4 is of 9 stars"),
        ("ml-1m", "ratings.dat", b"30::4", b"30::0", "rating number 4 is of 0 stars"),
        ("ml-1m", "ratings.dat", b"30::4", b"30::nan", "a rating lacks a number"),
        ("ml-1m", "ratings.dat", b"10::30", b"1::30", "2 users, and 3 as published"),
        ("ml-1m", "ratings.dat", b"10::30", b"10::31", "3 items, and 2 as published"),
        ("ml-1m", "movies.dat", b"30::", b"32::", "film 30 is not there, but rated"),
        ("ml-1m", "movies.dat", b"::Drama|War", b"", "at its beginning, not as published"),
        ("ml-100k", "u.item", b"|0\n", b"\n", "not as published"),
        ("ml-100k", "u.item", b"30|", b"thirty|", "after film 2, not as published"),
        ("ml-100k", "u.data", b"\t", b",", "not as published"),
        ("ml-20m", "ratings.csv", b"userId,movieId,rating,timestamp\n", b"", "3 ratings, and 4"),
        ("ml-20m", "movies.csv", b'"Mis', b"Mis", "not as published"),
        ("ml-20m", "movies.csv", "é".encode(), b"\xe9", "not as published"),
    ],
)
def test_what_is_not_as_published_is_refused(name, file, old, new, said, make, tmp_path):
    changed = FILES[name][file].replace(old, new)
    assert changed != FILES[name][file]
    with pytest.raises(InputError, match=said):
        make(name, as_folder(tmp_path / "f", name, **{file: changed}))


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("ml-1m", "ratings.dat", b""),
        ("ml-100k", "u.data", b""),
        ("ml-20m", "ratings.csv", b"userId,movieId,rating,timestamp\n"),
    ],
)
def test_empty_files_are_refused(name, file, content, make, tmp_path):
    with pytest.raises(InputError, match="as published"):
        make(name, as_folder(tmp_path / "f", name, **{file: content}))


def test_missing_things_are_named(make, tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        make("ml-1m", tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no ratings\.dat"):
        make("ml-1m", tmp_path / "empty")
    with pytest.raises(InputError, match=r"not part of technobench.*data fetch ml-1m"):
        catalogue.get("ml-1m")
    with pytest.raises(InputError, match="not part of technobench"):
        catalogue.make("ml-1m", files=[tmp_path, tmp_path])


def test_checksums_are_checked(make, tmp_path):
    path = as_zip(tmp_path / "x.zip", members("ml-1m"))
    with pytest.raises(InputError, match="as published c4d9eecfca2ab87c1945afe126590906"):
        make("ml-1m", path)
    # The hash of this content as a blob is in the Git book, section 10.2.
    folder = as_folder(tmp_path / "f", "ml-1m", **{"ratings.dat": b"what is up, doc?"})
    blob = "bd9dbf5aae1a3862dd1526723246b20206e5fc37"
    assert "has the published checksum" in archive.checked(folder, release_of("ml-1m", ratings_blob=blob))
    (folder / "ratings.dat").write_bytes(b"what is up, doc!")
    with pytest.raises(InputError, match="changed or cut off"):
        make("ml-1m", folder, ratings_blob=blob)


@pytest.mark.parametrize(
    "wrong",
    [
        [("../ml-1m/ratings.dat", b"1::1::1::1\n")],
        [("/ml-1m/ratings.dat", b"1::1::1::1\n")],
        [("ml-1m/../ml-1m/ratings.dat", b"1::1::1::1\n")],
        [("ml-1m/sub/ratings.dat", b"1::1::1::1\n")],
        [("ml-1m/ratings.dat", b"1::1::1::1\n"), ("ratings.dat", b"2::2::2::2\n")],
        [],
    ],
)
def test_zips_with_tricks_in_paths_are_refused(wrong, make, tmp_path):
    (tmp_path / "deep").mkdir()
    path = as_zip(tmp_path / "deep" / "x.zip", [*wrong, members("ml-1m")[1]])
    with pytest.raises(InputError, match=r"holds [02] files ml-1m/ratings\.dat"):
        make("ml-1m", path, md5=md5(path))
    assert not list(tmp_path.rglob("*.dat")), "nothing is ever unpacked"


def test_damaged_and_hostile_zips_are_refused(make, tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(InputError, match="cannot be read"):
        make("ml-1m", path, md5=md5(path))
    as_zip(path, [("ml-1m/ratings.dat", b"\n" * 1_000_000)])
    with pytest.raises(InputError, match="more than the release can have"):
        make("ml-1m", path, md5=md5(path))
    as_zip(path, members("ml-1m"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag of an encrypted member, in both of its headers
    content[6] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read.*encrypted"):
        make("ml-1m", path, md5=md5(path))
    with zipfile.ZipFile(path, "w") as written:
        for name, each in members("ml-1m"):
            written.writestr(name, each)
    path.write_bytes(path.read_bytes().replace(b"978300760", b"978300769", 1))
    with pytest.raises(InputError, match=r"cannot be read.*CRC"):
        make("ml-1m", path, md5=md5(path))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A place that publishes what is in a folder, instead of GroupLens's."""
    folder = tmp_path / "published"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(releases, "PLACE", f"http://127.0.0.1:{serving.server_port}/")
        yield folder
        serving.shutdown()
        thread.join()


@pytest.fixture
def small(monkeypatch, tmp_path):
    """ml-1m is four ratings, in a zip with the MD5 that is published; in a home of the test's own."""
    path = as_zip(tmp_path / "ml-1m.zip", members("ml-1m"))
    release = release_of("ml-1m", md5=md5(path))
    monkeypatch.setitem(RELEASES, "ml-1m", release)
    made = dataclasses.replace(catalogue.makers()["ml-1m"], make=functools.partial(maker.make, release))
    monkeypatch.setattr(catalogue, "makers", lambda: {"ml-1m": made})
    monkeypatch.setenv("TECHNOBENCH_HOME", str(tmp_path / "home"))
    return path


def fetch(*arguments):
    return CliRunner().invoke(data, ["fetch", *arguments])


def test_fetch_shows_the_licence_and_gets_nothing_before_it_is_accepted(small):
    done = fetch("ml-1m")
    assert isinstance(done.exception, InputError) and "--accept-licence" in str(done.exception)
    for said in (
        "no commercial use",
        "no redistribution",
        "Harper",
        "grouplens.org/datasets/movielens/ml-1m-README.txt",
    ):
        assert said in done.output
    assert catalogue.kept() == []


def test_fetch_makes_the_dataset(small, server):
    (server / "ml-1m.zip").write_bytes(small.read_bytes())
    done = fetch("ml-1m", "--accept-licence")
    assert done.exit_code == 0, done.output
    assert "ml-1m: 4 ratings x 4 columns" in done.output
    assert catalogue.get("ml-1m").records == 4


def test_fetch_refuses_what_is_not_as_published(small, server):
    (server / "ml-1m.zip").write_bytes(small.read_bytes()[:-1])
    assert "as published" in str(fetch("ml-1m", "--accept-licence").exception)
    (server / "ml-1m.zip").unlink()
    assert "cannot be got (File not found)" in str(fetch("ml-1m", "--accept-licence").exception)
    assert catalogue.kept() == []


def test_fetch_without_internet_says_what_to_do(small, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(releases, "PLACE", f"http://127.0.0.1:{taken.getsockname()[1]}/")
        error = fetch("ml-1m", "--accept-licence").exception
    assert isinstance(error, InputError)
    assert "technobench data make ml-1m ml-1m.zip" in str(error)


def test_releases_are_named_as_published():
    assert {name: (each.ratings, each.users, each.items) for name, each in RELEASES.items()} == {
        "ml-100k": (100_000, 943, 1_682),
        "ml-1m": (1_000_209, 6_040, 3_706),
        "ml-20m": (20_000_263, 138_493, 26_744),
        "ml-25m": (25_000_095, 162_541, 59_047),
    }
    assert RELEASES["ml-25m"].address == "https://files.grouplens.org/datasets/movielens/ml-25m.zip"
