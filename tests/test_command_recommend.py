"""``technobench recommend``: from a file of plays to lists, in two commands; and the same in Python."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from technobench.bench.cli import technobench
from technobench.bench.commands import recommend as command
from technobench.cpu_pipeline.als import ImplicitALS
from technobench.pipeline.errors import InputError, TechnobenchError

FEW = ("--factors", "4")


@pytest.fixture(autouse=True)
def home(own_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return own_home


def _run(*arguments):
    """Standard output and error of a command that must end well."""
    result = CliRunner().invoke(technobench, [str(argument) for argument in arguments])
    if isinstance(result.exception, TechnobenchError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def _lists(printed):
    """Items by user from JSON lines, ranks checked."""
    found: dict[str, list[str]] = {}
    for row in map(json.loads, printed.splitlines()):
        assert list(row) == ["user", "rank", "item", "score"]
        found.setdefault(row["user"], []).append(row["item"])
        assert row["rank"] == len(found[row["user"]])
    return found


@pytest.fixture
def tastes(tmp_path):
    """Two groups, each with items of its own: a user lacks one item of the group (and ``full`` none at all)."""
    rows = []
    for group in ("jazz", "folk"):
        for user in range(8):
            rows += [(f"{group}-fan-{user}", f"{group}-{item}") for item in range(8) if item != user]
    rows += [("full", f"{group}-{item}") for group in ("jazz", "folk") for item in range(8)]
    path = tmp_path / "plays.csv"
    path.write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in rows))
    _run("data", "add", path, "--name", "plays", "--user", "user", "--item", "item")
    return dict.fromkeys(rows)


def test_each_fan_is_recommended_what_the_group_has(tastes):
    printed, told = _run("recommend", "plays", "--top", 1, *FEW)
    assert _lists(printed) == {
        f"{group}-fan-{user}": [f"{group}-{user}"] for group in ("jazz", "folk") for user in range(8)
    }
    assert told == "16 rows for 16 users; no list for 1 with all items that may be recommended\n"
    scores = [json.loads(line)["score"] for line in printed.splitlines()]
    assert all(0.5 < score < 1.2 for score in scores)


def test_lists_hold_everything_a_user_lacks_and_nothing_else(tastes):
    lists = _lists(_run("recommend", "plays", "--top", 1_000_000, *FEW)[0])
    items = {item for _, item in tastes}
    for user, found in lists.items():
        assert len(found) == len(set(found)) and set(found) == items - {item for one, item in tastes if one == user}
        assert found[0].startswith(user[:4])


def test_scores_are_those_of_numpy(tastes):
    """The best of a dense float64 product of the same vectors."""
    from technobench.pipeline.datasets import catalogue
    from technobench.pipeline.workload import Workload

    interactions = Workload(catalogue.get("plays")).interactions()
    model = ImplicitALS(factors=4, seed=3).fit(interactions.matrix)
    scores = model.user_factors.astype(float) @ model.item_factors.T.astype(float)
    scores[interactions.matrix.nonzero()] = -np.inf
    rows = [json.loads(line) for line in _run("recommend", "plays", *FEW, "--seed", 3)[0].splitlines()]
    users, items = list(interactions.user_ids), list(interactions.item_ids)
    for row in rows:
        of_user = scores[users.index(row["user"])]
        assert row["score"] == pytest.approx(np.sort(of_user)[-row["rank"]], abs=1e-6)
        assert row["score"] == pytest.approx(of_user[items.index(row["item"])], abs=1e-6)
    assert len(rows) == sum(min(10, np.isfinite(of_user).sum()) for of_user in scores)


def test_users_and_barred_items(tastes):
    wanted = ("--user", "jazz-fan-3", "--user", "folk-fan-0", "--user", "jazz-fan-3")
    lists = _lists(_run("recommend", "plays", *FEW, *wanted, "--bar", "jazz-3")[0])
    assert list(lists) == ["jazz-fan-3", "folk-fan-0"]
    assert "jazz-3" not in [*lists["jazz-fan-3"], *lists["folk-fan-0"]] and lists["folk-fan-0"][0] == "folk-0"
    assert _run("recommend", "plays", *FEW, "--user", "full") == (
        "",
        "0 rows for 0 users; no list for 1 with all items that may be recommended\n",
    )


def test_every_format_has_the_same_rows(tastes, tmp_path):
    printed, _ = _run("recommend", "plays", *FEW)
    expected = [json.loads(line) for line in printed.splitlines()]
    for name in ("r.csv", "r.parquet", "r.jsonl"):
        out, told = _run("recommend", "plays", *FEW, "-o", name)
        assert out == "" and told.startswith(f"{name}: {len(expected)} rows for 16 users")
    assert [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()] == expected
    assert pq.read_table("r.parquet").to_pylist() == [
        {**row, "score": float(np.float32(row["score"]))} for row in expected
    ]
    with Path("r.csv").open(newline="") as file:
        rows = [{**row, "rank": int(row["rank"]), "score": float(row["score"])} for row in csv.DictReader(file)]
    assert rows == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "plays.csv", "r.csv", "r.jsonl", "r.parquet"]


def test_any_text_is_written_as_it_is(tmp_path):
    ids = ['a "b", c', "日本\n", "é;|", "-"]
    lines = [json.dumps({"u": one, "i": other}) for one in ids for other in ids if one != other]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    _run("data", "add", "x.jsonl", "--name", "text", "--user", "u", "--item", "i")
    options = ("--regularization", "0.006", "--factors", "4")
    assert _lists(_run("recommend", "text", *options)[0]) == {one: [one] for one in ids}
    _run("recommend", "text", *options, "-o", "r.csv")
    with Path("r.csv").open(newline="") as file:
        assert [(row["user"], row["item"]) for row in csv.DictReader(file)] == [(one, one) for one in ids]


def test_records_are_companies_and_their_technologies(tmp_path):
    lines = [f"c{row},{'|'.join(f't{item}' for item in range(9) if item != row)},{row}\n" for row in range(9)]
    (tmp_path / "c.csv").write_text("domain,technologies,size\n" + "".join(lines) + "none,|,1\nunknown,,1\n")
    _run("data", "add", "c.csv", "--name", "companies", "--id", "domain")
    printed, told = _run("recommend", "companies", *FEW)
    assert _lists(printed) == {f"c{row}": [f"t{row}"] for row in range(9)}
    assert told == "9 rows for 9 users; no list for 2 without interactions\n"
    with pytest.raises(InputError, match="no user of those has interactions"):
        _run("recommend", "companies", "--user", "none", "--user", "unknown")


@pytest.mark.parametrize("variant", ["native", "batched-sparse"])
def test_the_fit_may_be_another_variants(tastes, variant):
    lists = _lists(_run("recommend", "plays", "--top", 1, *FEW, "--variant", variant)[0])
    assert lists["jazz-fan-5"] == ["jazz-5"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("absent",), "no dataset 'absent'"),
        (("plays", "--user", "jazz-fam-3"), "--user jazz-fam-3: no such user; did you mean 'jazz-fan-3'"),
        (("plays", "--user", "§"), "there are 17, as 'jazz-fan-0'"),
        (("plays", "--bar", "folk_1"), "--bar folk_1: no such item; did you mean 'folk-1'"),
        (("plays", *(word for n in range(8) for g in ("jazz", "folk") for word in ("--bar", f"{g}-{n}"))), "all 16"),
        (
            ("plays", "--regularization", "100000"),
            "learned from 128 pairs of user and item: the penalty of 1.6e\\+06 outweighs them; lower --reg",
        ),
        (("plays", "--regularization", "0"), "regularization=0.0: must be above 0"),
        (("plays", "--factors", "-1"), "factors=-1"),
        (("plays", "--variant", "fastest"), "stage als has no such variant; there are: naive"),
        (("plays", "--variant", "planted-missing"), "no such variant"),
        (("plays", "-o", "r.xlsx"), "the suffix is none of .csv, .parquet, .jsonl"),
        (("plays", "-o", "absent/r.csv"), "no folder absent"),
        (("planted", "--scale", "-1"), "--scale -1"),
    ],
)
def test_what_is_refused(tastes, tmp_path, arguments, said):
    with pytest.raises(InputError, match=said):
        _run("recommend", *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "plays.csv"]


def test_too_few_to_compare(tmp_path):
    (tmp_path / "x.csv").write_text("user,item\na,x\n")
    _run("data", "add", "x.csv", "--name", "one", "--user", "user", "--item", "item")
    with pytest.raises(InputError, match="users: 1, items: 1; to compare, two of each"):
        _run("recommend", "one")


def test_a_folder_is_no_output(tastes, tmp_path):
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        _run("recommend", "plays", "-o", "r.csv")


@pytest.mark.parametrize("name", ["r.csv", "r.parquet", "r.jsonl"])
def test_what_ends_in_the_middle_leaves_the_old_file(tastes, monkeypatch, name):
    Path(name).write_text("old")
    whole = command.recommendations

    def breaks(*arguments):
        yield from whole(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "recommendations", breaks)
    CliRunner().invoke(technobench, ["recommend", "plays", *FEW, "-o", name])
    assert Path(name).read_text() == "old"
    assert not list(Path().glob(".r*"))


def test_a_kill_in_the_middle_leaves_no_half_file(tastes):
    code = """
        import os, signal
        from technobench.bench import recommendation
        from technobench.bench.cli import technobench
        from technobench.bench.commands import recommend
        whole = recommend.recommendations
        def killed(*arguments):
            yield next(whole(*arguments))
            os.kill(os.getpid(), signal.SIGKILL)
        recommendation.PLACES_AT_ONCE, recommend.recommendations = 30, killed
        technobench(["recommend", "plays", "-o", "r.jsonl"])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL
    assert not Path("r.jsonl").exists()


def test_users_in_blocks_have_the_same_lists(tastes, monkeypatch):
    whole = _run("recommend", "plays", *FEW)[0]
    monkeypatch.setattr("technobench.bench.recommendation.PLACES_AT_ONCE", 30)
    assert _run("recommend", "plays", *FEW)[0] == whole


def test_the_command_line_ends_with_its_code(tastes, technobench):
    done = technobench("recommend", "plays", "--user", "nobody")
    assert (done.code, done.out) == (2, "") and done.err.startswith("error: --user nobody: no such user")


def test_five_lines_of_python_recommend_the_same(tastes):
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "plays.csv" in code]
    names: dict = {}
    exec(example, names)
    user_ids, item_ids, items = names["user_ids"], names["item_ids"], names["top"].items
    lists = {one: [item_ids[item] for item in row if item >= 0] for one, row in zip(user_ids, items, strict=True)}
    assert lists.pop("full") == []
    assert lists == _lists(_run("recommend", "plays")[0])
