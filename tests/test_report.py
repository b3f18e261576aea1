"""The report's document and its three forms: what is in them, hostile rows, and pages that would be too large."""

import csv
import dataclasses
import html.parser
import io
import math
import re
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt
from technobench.bench.history import history
from technobench.bench.report.csv_rows import COLUMNS, csv_rows
from technobench.bench.report.document import (
    Block,
    Cell,
    Column,
    Command,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
)
from technobench.bench.report.html import MOST_BYTES
from technobench.bench.report.html import html as as_html
from technobench.bench.report.markdown import markdown
from technobench.bench.report.problems import impossible, pooled
from technobench.bench.report.report import report
from technobench.bench.report.seed_table import REPORTED
from technobench.pipeline.row import Extrapolation, Monitored, Status

from .test_history import HOST, both, row

HOSTILE = (
    "<script>alert(1)</script></style></title> | `code` ![seen](http://example.org/x) @team **b** &amp; \x1b[2J\a\r\n"
    "line\n```\n# h \ud800 \" onload='alert(2)'"
)
PLAN = Section("plan", "Capacity plan", (Paragraph("none"),))
VOID = {"meta", "link", "br", "img", "input", "hr"}


def report_of(rows, unreadable=(), past=()):
    return report(rows, unreadable, history(past, [], "batched-sparse"), PLAN)


def case(variant, seconds: Any = 1.0, stage="predict", rounds=8, **others):
    """A row of a right answer; seconds: of every round, a little more each, or of all rounds as a list, or None."""
    measured = [seconds * (1 + 0.001 * i) for i in range(rounds)] if isinstance(seconds, float) else seconds
    usual = {"sizes": {"records": 1000}, "session": "one", "error": 1e-7, "tolerance": 1e-5, "peak_bytes": 2**28}
    return row(variant, stage=stage, seconds=measured, **usual | others)


def rows_of_every_kind():
    fitted = Extrapolation(90.0, 80.0, 100.0, 1.0, 0.9, 1.1, ("records",), ((10.0, 10, 1.0),))
    nothing = {"seconds": None, "warmup_seconds": None, "error": None, "peak_bytes": None}
    return [
        case("naive", status=Status.EXTRAPOLATED, reason="too slow", extrapolation=fitted, **nothing),
        case("batched-sparse", 0.8),
        case("native", 0.1),
        case("close", 0.1003),
        case("gpu", 0.05, device="cuda", monitored=Monitored(9, 1, 1.0, 0, 0, 0.0, gpu_peak_bytes=2**30)),
        case("wrong", 0.01, status=Status.MISMATCH, reason="off by 0.5", error=0.5),
        case("elsewhere", 0.02, status=Status.FELL_BACK, reason="'xgboost' stood in"),
        case("broken", status=Status.FAILED, reason="out of memory", **nothing),
        case("cudf", device="cuda", status=Status.UNAVAILABLE, reason="no CUDA device", **nothing),
        case("half", 0.03, status=Status.UNVERIFIED, reason="interrupted after 2 rounds", interrupted=True),
    ]


class Page(html.parser.HTMLParser):
    """The elements of a page, what is open at each, and its tables as text; complains about what does not close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.attributes, self.tables, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def table(self, first_heading, containing=""):
        found = [t for t in self.tables if t[0][0] == first_heading and any(containing in c for r in t for c in r)]
        assert found, (first_heading, [t[0] for t in self.tables])
        return found[0]


def blocks(made: Report) -> list[Block]:
    return [block for section in made.sections for block in section.blocks]


def all_tables(made: Report) -> list[Table]:
    found = [block.table if isinstance(block, Picture) else block for block in blocks(made)]
    return [each for each in found if isinstance(each, Table)]


def test_the_fastest_right_answer_is_told_with_speed_ups_and_wrong_ones_never_win():
    table = Page(as_html(report_of(rows_of_every_kind()))).table("stage", "gpu")
    headings, line = table[0], table[1]
    told = dict(zip(headings, line, strict=True))
    assert len(table) == 2
    assert (told["fastest right variant"], told["device"]) == ("gpu", "cuda")
    assert told["over batched-sparse"].startswith("16x")  # 0.8 / 0.05
    assert told["over naive"].startswith("~1,7") or told["over naive"].startswith("~1,8")  # 90 / 0.05
    assert told["runner-up"].startswith("native, 2x")
    without = [each for each in rows_of_every_kind() if each.variant != "gpu"]
    line = Page(as_html(report_of(without))).table("stage", "close")[1]
    assert line[2] == "native"
    noisy = [case("native", rounds=8), case("close", seconds=1.0, rounds=8)]
    swapped = msgspec.structs.replace(noisy[1], seconds=[1.0, 1.2, 0.9, 1.1, 0.95, 1.3, 0.99, 1.05])
    assert "not told apart" in Page(as_html(report_of([noisy[0], swapped]))).table("stage")[1][-1]


def test_every_row_that_is_not_ok_is_told_with_its_reason_the_gravest_first():
    rows = rows_of_every_kind()
    table = Page(as_html(report_of(rows))).table("status")
    statuses = [line[0].split()[0] for line in table[1:]]
    assert statuses == ["mismatch", "failed", "fell-back", "unverified", "extrapolated", "unavailable"]
    for each in rows:
        if each.status is not Status.OK:
            (line,) = [line for line in table if f"predict/{each.variant}" in line[1].split(", ")]
            assert line[3] == each.reason
    without_answer = Page(as_html(report_of([each for each in rows if each.variant == "broken"])))
    assert "none: 1 failed" in without_answer.table("stage")[1][2]


def test_sections_are_in_the_order_asked_for_and_empty_ones_say_what_would_fill_them():
    nothing = {"seconds": None, "peak_bytes": None, "error": None}
    made = report_of([case("native", status=Status.FAILED, reason="broke", dataset="mine", **nothing)])
    names = [section.name for section in made.sections]
    assert names == [
        "answers",
        "matrix",
        "seed",
        "phases",
        "scaling",
        "accuracy",
        "memory",
        "history",
        "plan",
        "environment",
    ]
    for section in made.sections:
        if section.name in {"seed", "phases", "scaling", "accuracy", "memory", "history"}:
            assert [type(block) for block in section.blocks] == [Paragraph, Command], section.name
            assert section.blocks[1].line.startswith("technobench ")
    ids = [value for _, name, value in Page(as_html(made)).attributes if name == "id"]
    assert set(names) <= set(ids)
    assert len(ids) == len(set(ids))


def test_the_seed_report_s_numbers_stand_beside_ours_with_a_caution():
    seconds = {"matrix_build": 0.5, "features": 0.1, "predict": 0.2, "shap": 0.7, "pipeline": 2.0}
    rows = [case("native", seconds[stage], stage, problem_digest=stage, dataset="seed") for stage in seconds]
    rows += [case("batched-sparse", 4 * seconds[s], s, problem_digest=s, dataset="seed") for s in seconds]
    (table,) = [each for each in all_tables(report_of(rows)) if each.name == "seed-1"]
    said = {line[0].text.split()[0]: [cell.text for cell in line] for line in table.rows}
    assert list(said) == list(REPORTED)
    assert said["pipeline"][1:3] == ["1,309.52 s", "151.51 s"]
    assert said["matrix_build"][1:3] == ["1,169.75 s", "1.98 s"]
    assert [said[stage][2] for stage in ("features", "predict", "shap")] == ["5.26 s", "3.87 s", "about 140 s"]
    ratios = {line[0].text.split()[0]: line[-1].value for line in table.rows}
    assert ratios["pipeline"] == pytest.approx(151.51 / 2.0, rel=0.01)
    assert ratios["shap"] == pytest.approx(140 / 0.7, rel=0.01)
    assert all(line[-1].text.startswith("~") and "[1]" in line[-1].text for line in table.rows)
    assert "another machine" in table.notes[0]
    small = [msgspec.structs.replace(each, scale=0.5) for each in rows]
    assert not [each for each in all_tables(report_of(small)) if each.name == "seed-1"]


def test_runs_are_pooled_by_the_newest_row_of_a_case_on_each_class_of_host():
    old = case("native", 1.0, started="2026-01-01", run_id="a")
    new = case("native", 2.0, started="2026-01-02", run_id="b")
    other = case("native", 3.0, started="2025-01-01", run_id="c", host=HOST | {"cores": 64})
    half = case("native", 4.0, started="2026-01-03", run_id="d", interrupted=True)
    absent = case("native", None, started="2026-01-04", run_id="e", status=Status.UNAVAILABLE)
    for order in ([old, new, other, half, absent], [absent, half, other, new, old]):
        assert {each.run_id for each in pooled(order)} == {"b", "c"}
    assert pooled([half]) == [half]
    made = report_of(pooled([new, other]))
    assert "64 cores" in Page(as_html(made)).table("stage", "64 cores")[2][1]


def test_a_history_of_two_commits_is_drawn_and_of_one_is_not():
    commits = ["a" * 40, "b" * 40]
    past = [
        each for number, commit in enumerate(commits) for each in both([1.0] * 5, [2.0 + number] * 5, commit=commit)
    ]
    made = report_of(rows_of_every_kind(), past=past)
    (section,) = [each for each in made.sections if each.name == "history"]
    (picture,) = [each for each in section.blocks if isinstance(each, Picture)]
    assert [cell.text for cell in picture.table.rows[0][1:4]] == ["2", "2x ±0.0 %", "3x ±0.0 %"]
    assert "<svg" in as_html(made)
    (section,) = [each for each in report_of(rows_of_every_kind(), past=past[:2]).sections if each.name == "history"]
    assert isinstance(section.blocks[1], Command)


def hostile_rows():
    words = {
        "dataset": HOSTILE,
        "reason": HOSTILE,
        "command": HOSTILE,
        "commit": HOSTILE,
        "run_id": HOSTILE,
        "started": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        "thread_settings": {HOSTILE: HOSTILE},
        "host": {HOSTILE: HOSTILE, "cpu": HOSTILE},
        "alerts": [HOSTILE],
        "parameters": {HOSTILE: HOSTILE},
        "quality": {HOSTILE: 0.5},
        "sizes": {"records": 10, HOSTILE: 3},
        "phases": {HOSTILE: 0.5, "b": 0.5},
        "device": HOSTILE,
        "error_measure": HOSTILE,
    }
    ok = [case(variant, stage=stage, **words) for stage in ("pipeline", HOSTILE) for variant in (HOSTILE, "native")]
    return [*ok, *(case(f"{HOSTILE} {status}", status=status, **words) for status in Status)]


def test_a_hostile_run_makes_no_element_and_no_attribute_of_its_own():
    honest, hostile = (Page(as_html(report_of(rows, [HOSTILE]))) for rows in (rows_of_every_kind(), hostile_rows()))
    assert "script" not in hostile.elements
    assert {"iframe", "object", "embed", "img", "form", "base"}.isdisjoint(hostile.elements)
    assert hostile.elements.count("style") >= 1 and hostile.elements.count("title") >= 1
    assert not [name for _, name, _ in hostile.attributes if name.startswith("on")]
    assert {name for _, name, _ in hostile.attributes} <= {name for _, name, _ in honest.attributes} | {"d", "fill"}
    assert "<script>alert(1)</script>" in "".join(hostile.words)


def test_a_page_has_no_address_and_forbids_scripts_and_loads():
    page = Page(as_html(report_of(rows_of_every_kind())))
    links = [value for _, name, value in page.attributes if name in {"href", "src", "action", "data"}]
    assert links and all(value.startswith("#") or value == "data:," for value in links)
    (policy,) = [v for tag, name, v in page.attributes if tag == "meta" and name == "content" and "default-src" in v]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    for table in page.tables:
        assert all(len(line) == len(table[0]) for line in table)
    assert page.elements.count("caption") == page.elements.count("table")


def test_every_picture_has_its_table_in_html_and_in_markdown():
    table = Table("t", "Told twice", (Column("case"), Column("time", "s", numeric=True)), ((Cell("a"), Cell("3", 3)),))
    made = Report("r", "s", (Section("one", "One", (Picture("<svg></svg>", "drawn", table),)),))
    page = Page(as_html(made))
    assert page.tables == [[["case", "time [s]"], ["a", "3"]]]
    assert page.elements.count("svg") == 1
    assert "| a | 3 |" in markdown(made)
    real = report_of(rows_of_every_kind())
    captions = [block.table.caption for block in blocks(real) if isinstance(block, Picture)]
    told = "".join(Page(as_html(real)).words)
    assert captions and all(caption in told for caption in captions)


def cells_of(tokens) -> list[list[int]]:
    """The number of cells of each line of each table that a parser of GFM found."""
    tables: list[list[int]] = []
    for token in tokens:
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append(0)
        elif token.type in {"th_open", "td_open"}:
            tables[-1][-1] += 1
    return tables


@pytest.mark.parametrize("rows", [rows_of_every_kind(), hostile_rows()], ids=["every kind", "hostile"])
def test_markdown_has_all_tables_with_their_columns_and_nothing_of_the_data_is_markup(rows):
    made = report_of(rows, [HOSTILE, "- - -", "1. one"])
    text = markdown(made)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    tables = cells_of(tokens)
    expected = [[len(table.columns)] * (1 + len(table.rows)) for table in all_tables(made)]
    assert tables == expected
    raw = [line for line in text.splitlines() if line.startswith("|")]
    counted = [len(re.findall(r"(?<!\\)\|", line)) - 1 for line in raw]
    assert counted == [columns for table in expected for columns in [table[0], *table]]
    kinds = {child.type for token in tokens for child in token.children or []} | {token.type for token in tokens}
    assert kinds.isdisjoint({"image", "link_open", "html_inline", "html_block", "code_inline", "hr", "bullet_list"})
    assert sum(token.type == "heading_open" for token in tokens) == 1 + len(made.sections)
    prose = re.sub(r"^(`{3,})sh\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "@team" not in prose and "http://example" not in prose


def test_csv_has_a_line_per_case_the_same_numbers_and_no_formulas():
    rows = [*rows_of_every_kind(), *hostile_rows(), case("=1+1", dataset="@sum", command="+1", reason="-2\t3")]
    lines = list(csv.reader(io.StringIO(csv_rows(rows), newline="")))
    assert len(lines) == 1 + len(rows)
    assert all(len(line) == len(COLUMNS) for line in lines)
    found = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert not [cell for line in found for cell in line.values() if cell[:1] in tuple("=+@\t\r")]
    assert [cell for cell in {c for line in found for c in line.values() if c.startswith("-")} if not float(cell)] == []
    native = next(line for line in found if line["variant"] == "native" and line["stage"] == "predict")
    seconds = sorted(case("native", 0.1).seconds)
    assert float(native["run, median [s]"]) == pytest.approx((seconds[3] + seconds[4]) / 2, rel=1e-12)
    low, high = float(native["run, low [s]"]), float(native["run, high [s]"])
    assert seconds[0] <= low <= float(native["run, median [s]"]) <= high <= seconds[-1]
    assert float(native["over batched-sparse [x]"]) == pytest.approx(8.0)
    assert native["peak memory [bytes]"] == str(2**28)
    naive = next(line for line in found if line["variant"] == "naive")
    assert (naive["run, median [s]"], naive["extrapolated [s]"], naive["rounds"]) == ("", "90.0", "0")
    assert next(line for line in found if line["dataset"] == "'@sum")["variant"] == "'=1+1"


def large_run(count=1020):
    fitted = {"seconds": None, "warmup_seconds": None, "error": None, "peak_bytes": None}
    reasons = ["x" * 5000, "two words " * 300]
    return [
        case(
            f"variant-{number % 60}",
            stage=("predict", "shap", "features")[number % 3],
            dataset=f"data-{number // 60}",
            problem_digest=f"{number // 60}",
            command=f"technobench run --dataset data-{number // 60} " + "--param a=b " * 200,
            **(
                {}
                if number % 2
                else {"status": Status.FAILED, "reason": f"{number} {reasons[number % 4 // 2]}", **fitted}
            ),
        )
        for number in range(count)
    ]


def test_a_page_of_thousands_of_cases_stays_below_its_size_and_says_what_is_left_out():
    rows = large_run()
    made = report_of(rows)
    for text in (as_html(made), markdown(made)):
        assert len(text.encode()) <= MOST_BYTES
        assert "left out" in text
        assert "1,020 cases: 510 ok, 510 failed" in text
        assert "technobench: what is fastest" in text
        assert "characters more" in text
    page = Page(as_html(made))
    assert page.table("status") and page.table("stage")
    assert len(csv_rows(rows).splitlines()) == 1021


def test_what_fits_is_not_shortened():
    text = as_html(report_of(rows_of_every_kind()))
    assert len(text.encode()) < MOST_BYTES
    assert "left out" not in text.partition("<h2 id=")[2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": []},
        {"seconds": [1.0, 0.0]},
        {"seconds": [-1.0]},
        {"setup_seconds": -1.0},
        {"peak_bytes": -5},
        {"phases": {"read": -1.0}},
        {"scale": math.inf},
        {"extrapolation": Extrapolation(0.0, 0.0, 1.0, 1.0, 1.0, 1.0, ("records",), ((1.0, 1, 1.0),))},
    ],
)
def test_figures_that_cannot_have_been_measured_are_told(wrong):
    assert impossible(case("native")) is None
    assert impossible(case("native", **wrong)) is not None


def test_the_environment_has_every_run_host_version_and_command():
    rows = [
        case("native", run_id="first", versions={"python": "3.13.1", "numpy": "2.5"}, command="technobench run -k a"),
        case("xgboost", run_id="second", versions={"python": "3.11.2"}, commit=None, command="technobench run -k b"),
        case("naive", run_id="second", versions={}, commit="c" * 40, dirty=True, command="technobench run -k b"),
    ]
    page = Page(as_html(report_of(rows)))
    runs = {line[0]: line for line in page.table("run")[1:]}
    assert "unknown" in runs["second"][-1] and "files changed since" in runs["second"][-1]
    versions = page.table("what")
    assert versions[0] == ["what", "first", "second"]
    assert {line[0]: line[1:] for line in versions[1:]} == {"numpy": ["2.5", "-"], "python": ["3.13.1", "3.11.2"]}
    words = "".join(page.words)
    assert words.count("technobench run -k a") == words.count("technobench run -k b") == 1


def test_a_heading_has_the_unit_where_the_cells_have_not():
    columns = (
        Column("case"),
        Column("time", "s"),
        Column("rate", "rows/s"),
        Column("energy", "J"),
        Column("cost", "£"),
    )
    cells = (Cell("a"), Cell("3 ms", 0.003), Cell("40,473 ±1.8 %", 40473), Cell("not measured"), Cell("0.5", 0.5))
    assert Table("t", "T", columns, (cells,)).headings == ("case", "time", "rate [rows/s]", "energy [J]", "cost [£]")


def test_tones_are_words_too():
    """A status is told by its word; colour comes on top."""
    made = report_of(rows_of_every_kind())
    for table in all_tables(made):
        for line in table.rows:
            assert all(cell.text.strip() for cell in line if dataclasses.asdict(cell)["tone"] in {"bad", "careful"})


def test_the_points_of_a_sweep_come_in_their_order():
    rows = [
        case("native", 0.1 * scale, scale=scale, run_id="a", started=f"2026-11-22T12:0{minute}:00+00:00")
        for minute, scale in enumerate((4.0, 1.0, 2.0))
    ]
    matrix = next(each for each in report_of(rows, []).sections if each.name == "matrix")
    told = [block.caption for block in matrix.blocks if isinstance(block, Table)]
    assert [text.partition(" at scale ")[2].partition(":")[0] for text in told] == ["1", "2", "4"]
    (picture,) = [block for block in matrix.blocks if isinstance(block, Picture)]
    problems = [row[0].text for row in picture.table.rows]
    assert [text.partition(" at scale ")[2].partition(":")[0] for text in problems] == ["1", "2", "4"]


def test_runs_held_to_less_device_memory_stand_apart_in_tables_and_pictures():
    rows = [case("native-cuda", 0.1, device="cuda", run_id="a", device_memory=bound) for bound in (None, 2**30)]
    matrix = next(each for each in report_of(rows, []).sections if each.name == "matrix")
    tables = [block for block in matrix.blocks if isinstance(block, Table)]
    (picture,) = [block for block in matrix.blocks if isinstance(block, Picture)]
    told = "1 GiB of device memory"
    assert [told in table.caption for table in tables] == [False, True]
    assert [told in row[0].text for row in picture.table.rows] == [False, True]
