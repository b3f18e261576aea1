"""Packages as records: the index's format, what counts as a technology, two releases, and files that are no index."""

import gzip
import itertools
import lzma
import re
import shutil
import subprocess

import pandas as pd
import pyarrow as pa
import pytest
from technobench.pipeline.datasets import debian
from technobench.pipeline.datasets.dataset import Dataset
from technobench.pipeline.errors import InputError

MED = "Debian Med Packaging Team <debian-med-packaging@lists.alioth.debian.org>"
INDEX = f"""\
Package: plink
Version: 1.07-1
Installed-Size: 400
Maintainer: {MED}
Architecture: amd64
Multi-Arch: foreign
Pre-Depends: dpkg (>= 1.15.6~)
Depends: libc6 (>= 2.34), libc6 (<< 3), python3:any (>= 3.9~), default-mta | mail-transport-agent,
 perl:any
Recommends: r-base-core,
 g++ [amd64] <!nocheck>
Suggests: libsigc++-2.0-0v5 | 0ad
Enhances: r-base-core
Provides: virtual-only
Conflicts: conflicting-only
Breaks: broken-only
Replaces: replaced-only
Description: whole-genome association: tools, not 'relations'
 A line: of the description.
 .
 Depends: not-a-dependency
Tag: field::biology, implemented-in::c++,
 role::program,
 use::analysing
Section: science
Priority: optional
Filename: pool/main/p/plink/plink_1.07-1_amd64.deb
Size: 5000

package: bare
version: 1:0
filename: pool/main/b/bare/bare_0_all.deb
maintainer: Someone <someone@example.org>
depends:


Package: other
Version: 2
Filename: pool/main/o/other/other_2_all.deb
Architecture: all
Maintainer: Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>
Original-Maintainer: {MED}
Depends: libc6"""
PLINK = (
    "0ad,default-mta,dpkg,field::biology,g++,implemented-in::c++,libc6,libsigc++-2.0-0v5,mail-transport-agent,perl,"
    "python3,r-base-core,role::program,use::analysing"
)


def stanza(name, version="1", maintainer=MED, **fields):
    lines = {"Package": name, "Version": version, "Maintainer": maintainer, "Filename": f"pool/{name}.deb", **fields}
    return "".join(f"{field}: {value}\n" for field, value in lines.items()) + "\n"


def written(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def made(folder, *files):
    folder.mkdir(exist_ok=True)
    dataset = debian.make(folder, 1.0, files, lambda done, total: None)
    assert Dataset.load(folder) == dataset
    return dataset, pd.read_parquet(dataset.path).set_index("package")


def test_fields_become_columns(tmp_path):
    dataset, records = made(tmp_path / "dataset", written(tmp_path / "Packages", INDEX))
    assert list(records.index) == ["plink", "bare", "other"]
    plink = records.loc["plink"]
    assert plink["technologies"] == PLINK
    assert plink[["section", "priority", "architecture", "multi_arch"]].tolist() == [
        "science",
        "optional",
        "amd64",
        "foreign",
    ]
    assert plink[["installed_size", "package_size"]].tolist() == [400.0, 5000.0]
    bare = records.loc["bare"]
    assert bare["technologies"] == ""  # known to have none
    columns = [column.name for column in dataset.columns]
    assert bare[columns].isna().all()
    assert list(records.columns) == ["technologies", "maintained_by_debian_med", *columns]
    assert (dataset.records, dataset.training_records) == (3, 3)
    assert "Packages" in dataset.source


def test_types_hold_where_all_are_missing(tmp_path):
    index = stanza("a") + stanza("b", maintainer="Someone <someone@example.org>")
    dataset, _ = made(tmp_path / "dataset", written(tmp_path / "Packages", index))
    schema = pa.parquet.read_schema(dataset.path)
    for column in dataset.columns:
        assert schema.field(column.name).type == (pa.string() if column.kind == "categorical" else pa.float64())
    assert schema.field(dataset.label).type == pa.int8()


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"Maintainer": MED}, 1),
        ({"Maintainer": "Debian Med <Debian-Med-Packaging@alioth-lists.debian.net>"}, 1),
        ({"Maintainer": "Ubuntu <u@ubuntu.com>", "Original-Maintainer": MED}, 1),
        ({"Maintainer": MED, "Original-Maintainer": "Someone <someone@example.org>"}, 0),
        ({"Maintainer": "Friends <not-debian-med-packaging@example.org>"}, 0),
        ({"Maintainer": ""}, 0),
        ({"Maintainer": "Someone <someone@example.org>", "Uploaders": MED}, 0),
    ],
)
def test_label_is_the_team(tmp_path, fields, label):
    index = stanza("asked", **{"maintainer": "", **fields})
    index += stanza("yes") + stanza("no", maintainer="Someone <someone@example.org>")
    _, records = made(tmp_path / "dataset", written(tmp_path / "Packages", index))
    assert records["maintained_by_debian_med"].to_dict() == {"asked": label, "yes": 1, "no": 0}


def test_highest_version_wins_then_the_first_index(tmp_path, monkeypatch):
    lists = tmp_path / "lists"
    monkeypatch.setattr(debian, "APT_LISTS", lists)
    other = stanza("b", maintainer="Someone <someone@example.org>")
    written(lists / "a_main_Packages", stanza("a", "1:1.9", Depends="old") + other + stanza("c", Depends="first"))
    security = stanza("a", "1:1.10~rc1", Depends="new") + stanza("c", Depends="second")
    written(lists / "b_security_Packages.lz4", lz4(security))
    written(lists / "c_updates_Packages.gz", gzip.compress(stanza("a", "2000", Depends="no-epoch").encode()))
    written(lists / "d_empty_Packages", "")
    written(lists / "b_security_InRelease", "not an index")
    written(lists / "partial" / "e_Packages", stanza("partial"))
    dataset, records = made(tmp_path / "dataset")
    assert records["technologies"].to_dict() == {"a": "new", "b": "", "c": "first"}
    assert dataset.records == 3


def lz4(text):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(text.encode())
    return sink.getvalue().to_pybytes()


# deb-version(7) in order: each is below the next.
ORDERED = [
    "0~~",
    "0~",
    "0",
    "0a",
    "0+",
    "0.0~",
    "0.9-1",
    "0.9-1+b1",
    "0.10",
    "1.2~rc1-1",
    "1.2-1",
    "1.2.1",
    "1:0",
    "10:0",
]


def test_versions_sort_as_dpkg_sorts_them():
    keys = [debian.version_key(version) for version in ORDERED]
    assert all(low < high for low, high in itertools.pairwise(keys))
    assert debian.version_key("0:1.0-0") == debian.version_key("1.0") == debian.version_key("1.00")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not here to compare with")
def test_versions_compare_as_in_dpkg():
    for low, high in itertools.pairwise(ORDERED):
        assert subprocess.run(["dpkg", "--compare-versions", low, "lt", high], check=False).returncode == 0, (low, high)


def test_two_releases(tmp_path):
    no = "Someone <someone@example.org>"
    earlier = written(tmp_path / "bookworm", stanza("a", Depends="x") + stanza("b", maintainer=no))
    later = written(tmp_path / "trixie", stanza("a", "0.1", Depends="x, unseen") + stanza("c", maintainer=no))
    dataset, records = made(tmp_path / "dataset", earlier, later)
    assert list(records.index) == ["earlier/a", "earlier/b", "later/a", "later/c"]
    assert (dataset.training_records, dataset.records) == (2, 4)
    assert records["technologies"].tolist() == ["x", "", "unseen,x", ""]
    assert "bookworm, trixie" in dataset.source
    with pytest.raises(InputError, match="empty: no package in it"):
        made(tmp_path / "dataset", earlier, written(tmp_path / "empty", ""))
    with pytest.raises(InputError, match="3 files"):
        made(tmp_path / "dataset", earlier, later, later)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress], ids=["gz", "xz"])
def test_compressed_whole_and_cut_off(tmp_path, compress):
    names = [f"package-{number}" for number in range(2_000)]
    content = compress((INDEX + "\n\n" + "".join(stanza(name) for name in names)).encode())
    # Told by its first bytes, whatever its name.
    _, records = made(tmp_path / "dataset", written(tmp_path / "whole", content))
    assert list(records.index) == ["plink", "bare", "other", *names]
    with pytest.raises(InputError, match="cut: cannot be read to its end"):
        made(tmp_path / "dataset", written(tmp_path / "cut", content[: len(content) // 2]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,technologies\nacme,R|SQL\n", "line 1: no 'Field: value'"),
        (' {"package": "a"}\n', "line 1: no 'Field: value'"),
        (INDEX + "\nwithout a colon\n", f"line {len(INDEX.splitlines()) + 1}: no 'Field: value'"),
        (" continued: nothing\n", "line 1: no 'Field: value'"),
        (b"Package: a\nVersion: \xff\n", "line 2: not UTF-8"),
        ("Package: a\nVersion: 1\nStatus: install ok installed\n", "line 1: an entry without the field 'Filename'"),
        (stanza("a") + "Version: 1\nFilename: b.deb\n", "line 6: an entry without the field 'Package'"),
        (stanza("a") + stanza("b", Size="12 kB"), "line 6: Size is '12 kB', not a whole number"),
        ("", "no package in it"),
        (stanza("a"), "all or none of them maintained by Debian Med"),
        (stanza("a", maintainer="Someone <someone@example.org>"), "all or none of them maintained by Debian Med"),
    ],
)
def test_wrong_files(tmp_path, content, message):
    with pytest.raises(InputError) as raised:
        made(tmp_path / "dataset", written(tmp_path / "Packages", content))
    assert message in str(raised.value)
    assert str(tmp_path / "Packages") in str(raised.value)


def test_missing_files(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="nowhere: cannot be read"):
        made(tmp_path / "dataset", tmp_path / "nowhere")
    monkeypatch.setattr(debian, "APT_LISTS", tmp_path / "lists")
    with pytest.raises(InputError, match=r"apt-get update.*Packages file by its path"):
        made(tmp_path / "dataset")


@pytest.mark.skipif(
    not any(debian.APT_LISTS.glob("*_main_binary-*_Packages*")), reason="apt has no index of a Debian archive here"
)
def test_index_of_this_machine(tmp_path):
    dataset, records = made(tmp_path / "dataset")
    assert len(records) == dataset.records > 10_000
    assert records.index.is_unique
    assert not records["technologies"].isna().any()
    names = set(records["technologies"].str.split(",").explode()) - {""}
    assert {"libc6", "python3", "role::program"} <= names
    # Debian Policy 5.6.7: what a package may be called; all else must be a tag.
    others = {name for name in names if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name)}
    assert all(re.fullmatch(r"[a-z0-9-]+::[A-Za-z0-9:+.-]+", name) for name in others)
    command = ["/usr/lib/apt/apt-helper", "cat-file", *debian.apt_indexes()]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert set(records.index) == set(re.findall(r"^Package: (.+)$", listed, re.MULTILINE))
    assert 0.005 < records["maintained_by_debian_med"].mean() < 0.1
