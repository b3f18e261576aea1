"""``technobench plan``: from files of results to tables, JSON and Markdown; wrong use is one sentence, exit code 2."""

import json
import sys
from pathlib import Path

import pytest
from technobench.bench import store
from technobench.bench.cli import main
from technobench.pipeline.row import Status

from .conftest import Done
from .plan_rows import GPU, SIX, row

ASKED = ("--rows", "2e9", "--deadline", "4h")
PRICES = """
currency = "EUR"
[[machine]]
name = "small"
device = "cpu"
cores = 8
per_hour = 0.5
date = 2026-11-01
source = "made up"
"""


@pytest.fixture
def plan(tmp_path, monkeypatch, capfd):
    """Run the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["technobench", "plan", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return run


def sizes(variant="native", per_row=1e-3, **others):
    """Rows of a variant at four sizes, six rounds each; seconds grow with the rows."""
    counts = (1000, 4000, 16000, 64000)
    return [row(variant, count, [each * count * per_row for each in SIX], **others) for count in counts]


def stored(*rows, run="run"):
    store.add(Path("results"), run, rows)


def test_the_answer_is_by_the_lower_bound_of_what_was_measured(plan, tmp_path):
    stored(*sizes())
    done = plan(*ASKED, "--headroom", "30%", "--availability", "1", "--json", "-")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    (offer,) = found["offers"]
    seconds = offer["batch"]["seconds"]
    assert offer["batch"]["rows"] in (1000, 4000, 16000, 64000)
    assert 0.9e-3 < seconds["median"] / offer["batch"]["rows"] < 1.1e-3
    usable = 4 * 3600 * 0.7 - offer["batch"]["setup_seconds"]
    for name, machines in (("high", "machines"), ("median", "machines_by_median"), ("low", "machines_at_best")):
        batches = -(-2_000_000_000 // offer["batch"]["rows"])
        assert offer[machines] == -(-batches // int(usable // seconds[name]))
    assert offer["machines"] >= offer["machines_by_median"] >= 2e9 * 0.9e-3 / usable


def test_tables_and_markdown_tell_the_same(plan, tmp_path):
    Path("prices.toml").write_text(PRICES)
    stored(*sizes(), row("native-cuda", status=Status.UNAVAILABLE, seconds=None, device="cuda", reason="no <device>"))
    asked = (*ASKED, "--prices", "prices.toml", "--growth", "5%/month", "--horizon", "6", "--markdown", "plan.md")
    done = plan(*asked)
    assert done.code == 0, done.err
    page = Path("plan.md").read_text()
    for text in (done.out, page):
        for expected in ("Cheapest that meets the deadline: native", "after 6 months", "made up", "to measure it"):
            assert expected in text
        assert "--variant native-cuda --dataset seed --require cuda" in text
    assert "no <device>" in done.out and "<device>" not in page
    assert page.count("```sh") >= 1


def test_gpu_rows_have_their_own_price_and_a_break_even(plan):
    gpu = PRICES.partition("[[machine]]")[2].replace('"cpu"\ncores = 8', '"cuda"\ngpu = "GPU 80GB"')
    Path("prices.toml").write_text(f"{PRICES}[[machine]]{gpu}")
    stored(*sizes(), *sizes("native-cuda", 1e-5, device="cuda", host=GPU))
    done = plan(*ASKED, "--prices", "prices.toml", "--json", "-")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    (each,) = found["break_even"]
    assert each["speed_up"]["low"] < 100 < each["speed_up"]["high"]
    assert each["price"]["median"] == pytest.approx(0.5 * each["speed_up"]["median"])
    assert each["pays"] is True
    assert found["best"][0]["variant"] == "native-cuda"


def test_runs_are_chosen_by_their_names(plan):
    stored(*sizes(), run="first")
    stored(*sizes("other"), run="second")
    assert len(json.loads(plan(*ASKED, "--json", "-").out)["offers"]) == 2
    for name, variant in (("first", "native"), ("sec", "other"), ("results/second.jsonl", "other")):
        (offer,) = json.loads(plan(name, *ASKED, "--json", "-").out)["offers"]
        assert offer["variant"] == variant


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(status=Status.UNVERIFIED)],
        [row(status=Status.FELL_BACK), row(status=Status.MISMATCH)],
        [row("native-cuda", status=Status.UNAVAILABLE, seconds=None, device="cuda")],
        [row(stage="shap")],
    ],
    ids=["none", "unverified", "fell back and wrong", "no device", "another stage"],
)
def test_without_a_right_row_there_is_no_plan(plan, rows):
    if rows:
        stored(*rows)
    done = plan(*ASKED)
    assert (done.code, done.out) == (2, "")
    assert "no row of stage 'pipeline' is right and measured; 'technobench run --stage pipeline' measures" in done.err


def edited(old, new):
    return PRICES.replace(old, new)


@pytest.mark.parametrize(
    ("arguments", "prices", "said"),
    [
        (("--rows", "-5"), None, "--rows -5: must be 1 or more"),
        (("--rows", "1.5"), None, "'1.5' is no whole number up to 1e+18; write it as 2e9"),
        (("--rows", "lots"), None, "'lots' is no whole number"),
        (("--rows", "nan"), None, "'nan' is no whole number"),
        (("--rows", "inf"), None, "'inf' is no whole number"),
        (("--rows", "1e-999999999"), None, "is no whole number"),
        (("--rows", "1e999999999"), None, "'1e999999999' is no whole number"),
        (("--deadline", "0"), None, "--deadline: must be above 0"),
        (("--deadline", "soon"), None, "'soon' is no duration"),
        (("--headroom", "100%"), None, "--headroom 100%"),
        (("--headroom", "30"), None, "'30' is no share"),
        (("--availability", "-1"), None, "--availability -1"),
        (("--growth", "5%"), None, "'5%' is no share of a month; write it as 5%/month"),
        (("--growth", "5%/year"), None, "'5%/year' is no share of a month"),
        (("--horizon", "12"), None, "give --growth as well"),
        (("--stage", "nonsense"), None, "no stage 'nonsense'; there are: matrix_build"),
        (("--dataset", "nonsense"), None, "on dataset 'nonsense' is right and measured (measured were seed)"),
        (("nonsense",), None, "no run 'nonsense'"),
        (("--prices", "nowhere.toml"), None, "nowhere.toml: no such file; copy docs/prices.example.toml"),
        (("--prices", "."), None, "is a directory"),
        (("--prices", "p.toml"), "currency", "p.toml: no TOML"),
        (("--prices", "p.toml"), edited("= 0.5", "= 0.0"), "per_hour is 0"),
        (("--prices", "p.toml"), edited("cores = 8", "cores = 4"), 'add one with device = "cpu", cpu = "Some CPU'),
        (("--prices", "p.toml"), PRICES + PRICES.partition('"EUR"')[2], "'small' and 'small' all fit Some CPU 9000"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(plan, arguments, prices, said):
    stored(row())
    if prices is not None:
        Path("p.toml").write_text(prices)
    done = plan(*ASKED, *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


def test_prices_that_are_no_text_are_refused(plan):
    stored(row())
    Path("p.toml").write_bytes(b"\xff\xfe\x00")
    done = plan(*ASKED, "--prices", "p.toml")
    assert done.code == 2
    assert "p.toml: no text in UTF-8" in done.err
