"""``technobench report``: which runs, which form, where it goes, and runs that are empty, torn or half-finished."""

import csv
import io

import pytest
from technobench.bench import store
from technobench.pipeline.row import encode

from .test_history import both
from .test_report import HOSTILE, Page, case, rows_of_every_kind


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def test_the_newest_run_becomes_a_page_and_its_place_is_told(technobench, results, tmp_path):
    store.add(results, "old", [case("old-variant")])
    store.add(results, "new", rows_of_every_kind())
    done = technobench("report", "-o", "report.html")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"report: {(tmp_path / 'report.html').as_uri()}\n"
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    words = "".join(page.words)
    assert "old-variant" not in words
    assert "Capacity plan" in words
    assert page.elements.count("section") == 10


def test_runs_are_named_and_forms_are_told_by_the_suffix_or_the_option(technobench, results, tmp_path):
    store.add(results, "20260101-a", [case("first")])
    store.add(results, "20260102-b", [case("second", run_id="second")])
    assert technobench("report", "20260101", "20260102", "-o", "both.csv").code == 0
    lines = list(csv.DictReader(io.StringIO((tmp_path / "both.csv").read_text(encoding="utf-8"), newline="")))
    assert {line["variant"] for line in lines} == {"first", "second"}
    shown = technobench("report", "20260101-a", "-o", "-", "--format", "markdown")
    assert shown.out.startswith("# technobench")
    assert "| second |" not in shown.out
    assert technobench("report", "-o", "-").out.startswith("<!doctype html>")
    asked = technobench("report", "-o", "-", "--format", "markdown", "--rows", "2e9", "--deadline", "90m").out
    assert "2,000,000,000 rows" in asked
    assert "1,000,000,000 rows" in shown.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "report.pdf"], "end it in .html"),
        (["nonsense"], "no run 'nonsense'"),
        (["empty.jsonl"], "holds no row of results"),
        (["-o", "-", "--format", "pdf"], "--format"),
        (["--rows", "0"], "--rows"),
        (["-o", "file/report.html"], "file"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(technobench, results, tmp_path, arguments, said):
    store.add(results, "run", [case("native")])
    (tmp_path / "empty.jsonl").write_bytes(b'{"stage": "predict"}\n{"torn')
    (tmp_path / "file").write_text("")
    done = technobench("report", *arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("report.*"))


def test_a_half_finished_run_is_reported_with_what_is_torn_and_what_is_not_over(technobench, results, tmp_path):
    results.mkdir()
    whole = [encode(case("native")), encode(case("from-the-future")).replace(b'"status":"ok"', b'"status":"splendid"')]
    (results / "run.jsonl").write_bytes(b"\n".join([*whole, encode(case("torn"))[:-40]]))
    over = case("batched-sparse", interrupted=True, status="unverified", reason="interrupted after 2 rounds")
    unknown = encode(case("newer", 2.0)).replace(b'"stage"', b'"unheard-of":{"a":[1]},"stage"', 1)
    bad = encode(case("impossible", seconds=[0.0]))
    (results / ".run.in-flight").write_bytes(b"\n".join([encode(over), unknown, bad]) + b"\n")
    done = technobench("report", "-o", "report.html")
    assert done.code == 0, done.err
    assert done.err.count("warning: ") == 3
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    told = [line[0] for line in page.table("line")[1:]]
    assert any("torn by a kill" in each for each in told)
    assert any("splendid" in each for each in told)
    assert any("predict/impossible" in each and "above 0" in each for each in told)
    assert page.table("status")[1][3] == "interrupted after 2 rounds"
    assert "newer" in {line[0] for line in page.table("variant")}


def test_a_hostile_run_is_reported_in_every_form(technobench, results):
    hostile = HOSTILE.replace("\ud800", "")
    store.add(results, "run", [case(hostile, dataset=hostile, reason=hostile, host={"cpu": hostile})])
    for form in ("html", "markdown", "csv"):
        done = technobench("report", "-o", "-", "--format", form)
        assert done.code == 0, done.err
        assert ("<script" not in done.out) == (form == "html")


def test_the_history_is_of_all_runs_in_the_folder(technobench, results):
    for number, commit in enumerate(("a" * 40, "b" * 40)):
        store.add(results, f"run-{number}", both([1.0] * 5, [2.0 + number] * 5, commit=commit))
    out = technobench("report", "run-1", "-o", "-").out
    assert "aaaaaaaa" in out.partition('<section id="history"')[2].partition("</section>")[0]


def test_a_run_ends_with_its_report(technobench, tmp_path):
    chosen = ("--stage", "matrix_build", "--variant", "batched-sparse", "--rounds", "1")
    done = technobench("run", *chosen, "--report", "out.md", "--json", "-")
    assert done.code == 0, done.err
    assert f"report: {(tmp_path / 'out.md').as_uri()}" in done.err
    assert "| batched-sparse |" in (tmp_path / "out.md").read_text(encoding="utf-8")
    assert "--report" not in done.rows[0]["command"]
    refused = technobench("run", *chosen, "--report", "out.pdf")
    assert refused.code == 2
    assert "end it in .html" in refused.err
