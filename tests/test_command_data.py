"""``technobench data``: what each sub-command prints, keeps and refuses."""

import json
import re

import click
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from technobench.bench.commands.data import data
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import Column, Maker, RatingDataset, RecordDataset
from technobench.pipeline.datasets.interaction_file import numbered, write_ids, write_rows
from technobench.pipeline.datasets.own.roles import Roles
from technobench.pipeline.errors import InputError, TechnobenchError

CONTENT = "domain,stack,size,won,note\na.example,C++;R,small,yes,1\nb.example,,large,no,2\nc.example,r;Go,small,no,3\n"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("TECHNOBENCH_HOME", str(folder))
    monkeypatch.setenv("COLUMNS", "160")
    return folder


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "companies.csv"
    path.write_text(CONTENT)
    return path


@pytest.fixture
def made(monkeypatch):
    """Two makers in the place of the suite's, ``tiny`` scales, ``given`` takes files; returns the calls."""
    calls = []

    def make_tiny(folder, scale, files, progress):
        calls.append((scale, files))
        records = int(4 * scale)
        progress(records, records)
        table = pa.table({"id": [str(row) for row in range(records)], "technologies": ["a|b"] * records})
        pq.write_table(table, folder / "records.parquet")
        return _records(folder, "tiny", scale, records).save()

    makers = {
        "tiny": Maker("tiny", "four records [and more]", make_tiny, scalable=True),
        "given": Maker("given", "from a file", make_tiny, takes_files=True),
    }
    monkeypatch.setattr(catalogue, "makers", lambda: makers)
    return calls


def _run(*arguments):
    """Standard output of a command that must end well, and that writes nothing to standard error."""
    result = CliRunner().invoke(data, [str(argument) for argument in arguments])
    if isinstance(result.exception, TechnobenchError):
        raise result.exception
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


OPTIONS = ("--name", "mine", "--technologies", "stack", "--delimiter", ";")
LABEL = ("--label", "won", "--positive", "yes")


def test_add_prints_what_became_of_each_column(file, home):
    printed = _run("add", file, *OPTIONS, *LABEL, "--id", "domain", "--ignore", "note")
    rows = {cells[0]: cells[1] for line in printed.splitlines() if len(cells := re.findall(r"[^│]*[^│\s]", line)) == 3}
    rows = {name.strip(): used.strip() for name, used in rows.items()}
    assert rows == {
        "domain": "identifier",
        "stack": "technologies",
        "size": "categorical",
        "won": "label",
        "note": "not used",
    }
    dataset = catalogue.get("mine")
    assert printed.splitlines()[-1] == f"mine: 3 records x 4 columns, kept in {home / 'datasets' / 'mine@1'}"
    assert (dataset.identifier, dataset.label, dataset.delimiter) == ("domain", "won", ";")
    assert pq.read_table(dataset.path).to_pydict() == {
        "domain": ["a.example", "b.example", "c.example"],
        "stack": ["C++;R", None, "r;Go"],
        "size": ["small", "large", "small"],
        "won": [1, 0, 0],
    }


def test_add_says_that_the_technology_column_was_guessed(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Tech_Stack\na|b\n")
    assert "guessed by its name" in _run("add", path, "--name", "mine")


def test_add_with_roles_of_a_file_and_options_before_them(file, tmp_path):
    roles = tmp_path / "roles.toml"
    roles.write_text(
        'technologies = "stack"\ndelimiter = "/"\nlabel = "note"\ncategorical = ["note", "size"]\nid = "domain"\n'
    )
    with pytest.raises(InputError, match="'note' is named for label and for categorical"):
        _run("add", file, "--name", "mine", "--roles", roles)
    _run("add", file, "--name", "mine", "--roles", roles, *LABEL, "--delimiter", ";", "--numeric", "", "--ignore", "")
    dataset = catalogue.get("mine")
    assert (dataset.delimiter, dataset.label, dataset.identifier) == (";", "won", "domain")
    assert dataset.columns == (Column("size", "categorical"), Column("note", "categorical"))


def test_add_takes_a_tab_by_its_escape(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("technologies\na\tb\n")
    with pytest.raises(InputError) as caught:
        _run("add", path, "--name", "mine")
    advised = re.search(r"--delimiter '([^']*)'", str(caught.value))
    assert advised is not None
    _run("add", path, "--name", "mine", "--delimiter", advised[1])
    assert catalogue.get("mine").delimiter == "\t"


def test_add_hands_on_every_option(file, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(
        "technobench.bench.commands.data_add.add", lambda own, report: seen.append(own) or (_kept(), [])
    )
    columns = ("--categorical", "a,b", "--numeric", "c", "--ignore", "d,e")
    reading = ("--format", "csv", "--encoding", "cp1252", "--separator", ";")
    rest = ("--training-records", 2, "--model", tmp_path / "m.ubj", "--replace")
    _run("add", file, *OPTIONS, *LABEL, "--id", "domain", *columns, *reading, *rest)
    own = seen[0]
    lists = {"categorical": ("a", "b"), "numeric": ("c",), "ignore": ("d", "e")}
    assert own.roles == Roles("domain", "stack", ";", "won", "yes", **lists)
    assert (own.file, own.name, own.format, own.encoding, own.separator) == (file, "mine", "csv", "cp1252", ";")
    assert (own.training_records, own.model, own.replace) == (2, tmp_path / "m.ubj", True)


def _kept():
    folder = catalogue.folder_of("mine")
    return _records(folder, "mine", 1.0, 1)


def _records(folder, name, scale, records):
    return RecordDataset(
        folder=folder,
        name=name,
        scale=scale,
        delimiter="|",
        identifier="id",
        technologies="technologies",
        label=None,
        columns=(),
        records=records,
        training_records=records,
        digest="",
        source="made up",
    )


PLAYS = "who,what,n,when,stars\nann,x,2,2026-01-31,5\nbob,y,1,2026-02-01,3\nann,x,1,2026-02-02,4\n"


@pytest.fixture
def plays(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_text(PLAYS)
    return path


def test_add_interactions_with_every_option(plays, tmp_path, home):
    items = tmp_path / "items.csv"
    items.write_text("id,title\nx,Ex\n")
    columns = ("--user", "who", "--item", "what", "--value", "n", "--timestamp", "when")
    printed = _run("add", plays, "--name", "mine", *columns, "--items", items)
    where = home / "datasets" / "mine@1"
    assert printed == f"mine: 3 interactions x 4 columns, kept in {where}\n2 users, 2 items\n"
    assert pq.read_table(where / "items.parquet").to_pydict() == {"id": ["x", "y"], "title": ["Ex", None]}
    reading = ("--format", "csv", "--encoding", "latin-1", "--separator", ",", "--replace")
    printed = _run("add", plays, "--name", "mine", "--user", "who", "--item", "what", "--rating", "stars", *reading)
    assert "3 ratings x 3 columns" in printed
    assert json.loads(_run("describe", "mine", "--json"))["values"] == {"3": 1, "4": 1, "5": 1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--user", "who"), "--user without --item"),
        (("--value", "n", "--item", "what"), "--item without --user"),
        (("--user", "who", "--item", "what", "--label", "n"), "--label is for records, --user for interactions"),
        (("--user", "who", "--item", "what", "--ignore", ""), "--ignore is for records"),
        (("--user", "who", "--item", "waht"), "no column 'waht' for item; did you mean 'what'"),
        (("--user", "who", "--item", "what", "--value", "n", "--rating", "stars"), "--value and --rating"),
        ((), "name the columns by --user and --item"),
    ],
)
def test_add_refuses_what_does_not_go_together(plays, options, said):
    with pytest.raises(InputError, match=said):
        _run("add", plays, "--name", "mine", *options)
    assert catalogue.kept() == []


def test_help_of_add_has_a_heading_for_each_kind():
    """No option is lost between them."""
    printed = _run("add", "--help")
    records, interactions = printed.index("Of records"), printed.index("Of interactions")
    for option in data.commands["add"].params:
        if isinstance(option, click.Option):
            shown = printed.index(f"  {option.opts[0]} ")
            kind = (shown > records) + (shown > interactions)
            assert kind == {"OfRecords": 1, "OfInteractions": 2}.get(type(option).__name__, 0)


def test_add_refuses_through_input_errors(file):
    with pytest.raises(InputError, match=r"companies\.csv: no column 'x' for label"):
        _run("add", file, *OPTIONS, "--label", "x")
    with pytest.raises(InputError, match="no such file"):
        _run("add", file.with_name("absent.csv"), *OPTIONS)
    with pytest.raises(InputError, match="the delimiter is empty"):
        _run("add", file, "--name", "mine", "--technologies", "stack", "--delimiter", "")
    assert CliRunner().invoke(data, ["add", str(file)]).exit_code == 2
    assert catalogue.kept() == []


def test_make_and_list(made, home):
    assert "none is kept yet" in _run("list")
    printed = _run("make", "tiny", "--scale", "2.5")
    assert printed == f"tiny: 10 records x 2 columns, kept in {home / 'datasets' / 'tiny@2.5'}\n"
    assert made == [(2.5, ())]
    printed = _run("list")
    assert "four records [and more]" in printed and "tiny@2.5" in printed
    assert json.loads(_run("list", "--json")) == {
        "makers": [
            {
                "name": "tiny",
                "summary": "four records [and more]",
                "kind": "records",
                "scalable": True,
                "takes_files": False,
            },
            {"name": "given", "summary": "from a file", "kind": "records", "scalable": False, "takes_files": True},
        ],
        "kept": [
            {
                "name": "tiny",
                "scale": 2.5,
                "kind": "records",
                "records": 10,
                "columns": 2,
                "where": str(home / "datasets" / "tiny@2.5"),
            }
        ],
    }


def test_make_hands_on_files_and_refuses(made, file):
    _run("make", "given", file)
    assert made == [(1.0, (file,))]
    with pytest.raises(InputError, match="takes no files"):
        _run("make", "tiny", file)
    with pytest.raises(InputError, match="no dataset 'absent'"):
        _run("make", "absent")
    with pytest.raises(InputError, match="--scale -1"):
        _run("make", "tiny", "--scale", "-1")


def test_describe(file):
    _run("add", file, *OPTIONS, *LABEL, "--id", "domain", "--training-records", "2")
    described = json.loads(_run("describe", "mine", "--json"))
    assert described["records"] == 3 and described["raw_columns"] == 5
    assert described["technologies"] == {
        "distinct": 3,
        "nonzeros": 4,
        "known_none": 0,
        "unknown": 1,
        "quantiles": dict.fromkeys(["0%", "5%", "25%", "50%", "75%", "95%", "100%"], 2),
        "top": [["r", 2], ["c++", 1], ["go", 1]],
        "unseen_share": 0.5,
    }
    assert described["label_share"] == pytest.approx(1 / 3)
    assert described["columns"] == [
        {"name": "size", "kind": "categorical", "distinct": 2, "null_share": 0.0},
        {"name": "note", "kind": "numeric", "distinct": 3, "null_share": 0.0},
    ]
    dataset = catalogue.get("mine")
    assert (described["digest"], described["source"]) == (dataset.digest, dataset.source)
    printed = _run("describe", "mine")
    for said in (
        "r (2), c++ (1), go (1)",
        "'won', 33.33% positive",
        "50.00% of the later",
        dataset.digest,
        "companies.csv",
    ):
        assert said in printed


def test_describe_interactions_and_ratings(monkeypatch, home):
    """Against pandas, in batches that do not end with the file."""
    monkeypatch.setattr("technobench.pipeline.datasets.describe_interactions.BATCH_RECORDS", 3)
    folder = catalogue.folder_of("mine")
    folder.mkdir(parents=True)
    rows = pd.DataFrame({"user": [0, 0, 1, 1, 1, 3, 0], "item": [2, 1, 2, 2, 0, 2, 1]}, dtype="int32")
    rows["value"] = np.array([5, 0.5, 3, 3, 3, 1, 4], np.float32)
    rows["timestamp"] = np.array([978_300_760, 5, 6, 7, 8, 9, 10])
    write_rows(folder, tuple(rows), [[rows[name].to_numpy() for name in rows]])
    titles = pa.array(["[b]", "a", "c"])
    write_ids(folder, numbered("u", 4), numbered("i", 3).append_column("title", titles))
    RatingDataset(
        folder=folder,
        name="mine",
        scale=1.0,
        records=7,
        columns=tuple(rows),
        users=4,
        items=3,
        digest="",
        source="made up",
    ).save()
    described = json.loads(_run("describe", "mine", "--json"))
    assert (described["kind"], described["records"], described["users"], described["items"]) == ("ratings", 7, 4, 3)
    assert described["density"] == pytest.approx(7 / 12)
    assert described["top"] == [["c", 4], ["a", 2], ["[b]", 1]]
    assert described["values"] == {f"{value:g}": count for value, count in rows["value"].value_counts().items()}
    assert described["times"] == ["1970-01-01T00:00:05Z", "2000-12-31T22:12:40Z"]
    assert described["per_user"] == {"0%": 0, "5%": 0, "25%": 0, "50%": 1, "75%": 3, "95%": 3, "100%": 3}
    assert described["per_item"]["100%"] == 4
    printed = _run("describe", "mine")
    for said in ("7 (58.333% of the pairs)", "c (4), a (2), [b] (1)", "3: 42.9%", "2000-12-31T22:12:40Z", "made up"):
        assert said in printed
    assert re.search(r"mine +│ 1 +│ ratings +│ +7 │ +4 │", _run("list"))


def test_describe_makes_what_is_not_kept_yet(made):
    assert json.loads(_run("describe", "tiny", "--scale", "2", "--json"))["technologies"]["nonzeros"] == 16
    assert made == [(2.0, ())]
    with pytest.raises(InputError, match="no dataset 'absent'"):
        _run("describe", "absent")


@pytest.mark.parametrize("command", ["list", "make", "fetch", "add", "describe"])
def test_every_option_has_a_help_text(command):
    options = [parameter for parameter in data.commands[command].params if isinstance(parameter, click.Option)]
    assert options and all(option.help for option in options)
    assert data.commands[command].help
