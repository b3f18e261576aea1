"""Export and import: rows in pytest-benchmark's JSON and back, read by its own tools; rows in asv's folders."""

import json
import math
import shutil
import statistics
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats
from technobench.bench import asv_results, cli, store
from technobench.bench.pytest_benchmark_json import from_json, timing_statistics, to_json
from technobench.bench.row_names import case_name
from technobench.pipeline.errors import InputError
from technobench.pipeline.row import Extrapolation, Monitored, Row, Status

RUN_ID = "20261122-130000-abcdef"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COUNT = st.integers(0, 2**53)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SECONDS = st.floats(1e-9, 1e6)
SCALAR = st.one_of(st.integers(-(2**31), 2**31), FINITE, TEXT, st.booleans())


def optional(strategy):
    return st.none() | strategy


ROWS = st.builds(
    Row,
    **dict.fromkeys(("stage", "variant", "device", "error_measure", "problem_digest", "dataset", "session"), TEXT),
    **dict.fromkeys(("started", "command", "run_id"), TEXT),
    **dict.fromkeys(("reason", "executed", "commit"), optional(TEXT)),
    **dict.fromkeys(("warmup_seconds", "setup_seconds", "fetch_seconds"), optional(SECONDS)),
    **dict.fromkeys(("seconds", "cpu_seconds"), optional(st.lists(SECONDS, min_size=1, max_size=9))),
    **dict.fromkeys(("peak_bytes", "resident_bytes", "device_memory"), optional(COUNT)),
    **dict.fromkeys(("phases", "quality"), optional(st.dictionaries(TEXT, FINITE, max_size=2))),
    **dict.fromkeys(("versions", "thread_settings"), st.dictionaries(TEXT, TEXT, max_size=2)),
    status=st.sampled_from(Status),
    error=optional(FINITE),
    tolerance=FINITE,
    scale=FINITE,
    sizes=st.dictionaries(TEXT, COUNT, max_size=2),
    threads=st.integers(1, 512),
    parameters=st.dictionaries(TEXT, SCALAR, max_size=3),
    extrapolation=optional(
        st.builds(
            Extrapolation,
            **dict.fromkeys(("seconds", "low", "high", "exponent", "exponent_low", "exponent_high"), FINITE),
            grows_with=st.tuples(TEXT, TEXT),
            points=st.lists(st.tuples(FINITE, COUNT, FINITE), max_size=2).map(tuple),
        )
    ),
    monitored=optional(
        st.builds(
            Monitored,
            **dict.fromkeys(("samples", "peak_rss_bytes", "read_bytes", "written_bytes"), COUNT),
            **dict.fromkeys(("mean_cpu_percent", "cost_share"), FINITE),
        )
    ),
    alerts=st.lists(TEXT, max_size=2),
    host=st.dictionaries(TEXT, SCALAR, max_size=2),
    dirty=optional(st.booleans()),
    interrupted=st.booleans(),
    transferred_bytes=optional(st.dictionaries(TEXT, COUNT, max_size=2)),
)


def row(variant: str = "native", status: Status = Status.OK, **changed) -> Row:
    values = dict.fromkeys(Row.__struct_fields__) | {
        "stage": "predict",
        "variant": variant,
        "device": "cpu",
        "status": status,
        "seconds": [0.011, 0.0101, 0.013] if status in {Status.OK, Status.MISMATCH} else None,
        "tolerance": 1e-5,
        "error_measure": "",
        "dataset": "seed",
        "scale": 0.5,
        "sizes": {"records": 3},
        "threads": 2,
        "parameters": {"trees": 8},
        "problem_digest": "d1",
        "alerts": [],
        "versions": {"python": "3.13.0"},
        "thread_settings": {},
        "host": {"cpu": "a processor", "architecture": "x86_64", "cores": 2, "system": "Linux 6.1"},
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "run_id": RUN_ID,
        "session": "s",
        "interrupted": False,
        "started": "2026-11-22T13:00:00+00:00",
        "command": "technobench run",
    }
    return Row(**{**values, **changed})


EACH_STATUS = [row(f"variant-{status.value}", status) for status in Status]


@pytest.fixture
def kept(tmp_path):
    """A run in `results`, with a row of each status."""
    file = store.RunFile(tmp_path / "results", RUN_ID)
    for each in EACH_STATUS:
        file.append(each)
    file.close()
    return tmp_path


@pytest.fixture
def command(kept, monkeypatch):
    """Run a command in this process, beside `results`."""
    monkeypatch.chdir(kept)
    return lambda *arguments: cli.technobench(arguments, standalone_mode=False)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_rows_come_back_as_they_were(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round-trip.json"
    path.write_text(json.dumps(to_json(rows), allow_nan=False))
    back, foreign = from_json(path)
    assert foreign == []
    assert sorted(map(repr, back)) == sorted(map(repr, rows))


@settings(deadline=None)
@given(st.lists(SECONDS, min_size=1, max_size=30))
def test_statistics_are_those_of_pytest_benchmark(seconds):
    theirs = Stats()
    for each in seconds:
        theirs.update(each)
    ours = timing_statistics(seconds)
    assert ours.pop("data") == seconds
    assert ours.pop("iterations") == 1
    expected = theirs.as_dict()
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        assert ours[name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), name


def test_only_right_answers_are_benchmarks():
    written = to_json(EACH_STATUS)
    assert [each["param"] for each in written["benchmarks"]] == ["predict/variant-ok seed@0.5"]
    assert written["commit_info"]["id"] == EACH_STATUS[0].commit
    assert written["machine_info"]["node"] == "", "names of machines are not kept"


def test_cases_of_a_run_have_names_of_their_own():
    rows = [row(parameters={"trees": trees}, threads=threads) for trees in (8, 9) for threads in (1, 2)]
    assert case_name(rows[0], rows) == "predict/native seed@0.5 trees=8 threads=1"
    assert len({case_name(each, rows) for each in rows}) == 4
    assert case_name(rows[0], rows[:1]) == "predict/native seed@0.5"


def test_pytest_benchmark_compares_exports(command, kept):
    command("export", "pytest-benchmark", RUN_ID, "-o", "run.json")
    shutil.copy(kept / "run.json", kept / "again.json")
    compare = [sys.executable, "-m", "pytest_benchmark", "compare", "run.json", "again.json", "--columns=median,rounds"]
    done = subprocess.run(compare, cwd=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "predict/variant-ok seed@0.5" in line]
    assert len(lines) == 2
    assert all("11.0000 (1.0)" in line and line.endswith(" 3") for line in lines)
    assert "'predict seed@0.5'" in done.stdout, "the group"


def test_an_export_is_imported_whole(command, kept):
    command("export", "pytest-benchmark", RUN_ID[:8], "-o", "run.json")
    command("import", "pytest-benchmark", "run.json", "--results", "others")
    rows, problems = store.read(kept / "others" / f"{RUN_ID}.jsonl")
    assert problems == []
    assert {each.variant: each for each in rows} == {each.variant: each for each in EACH_STATUS}
    with pytest.raises(InputError, match="is there already"):
        command("import", "pytest-benchmark", "run.json", "--results", "others")
    assert len(store.read(kept / "others" / f"{RUN_ID}.jsonl")[0]) == len(EACH_STATUS)


def test_benchmarks_of_others_are_named_and_passed_over(command, kept, capsys):
    written = to_json(EACH_STATUS)
    written["benchmarks"].append({"name": "test_of_another", "extra_info": {}, "stats": {"mean": 1.0}})
    (kept / "run.json").write_text(json.dumps(written))
    command("import", "pytest-benchmark", "run.json", "--results", "others")
    assert "passed over, not of technobench: 1 benchmark (test_of_another)" in capsys.readouterr().err
    assert len(store.read(kept / "others" / f"{RUN_ID}.jsonl")[0]) == len(EACH_STATUS)


def altered(**changed) -> str:
    """An export whose row is not as technobench writes it."""
    written = to_json([row()])
    written["benchmarks"][0]["extra_info"]["technobench"] |= changed
    return json.dumps(written)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "not JSON, or not the whole of it"),
        (json.dumps(to_json([row()]))[:-40], "not JSON, or not the whole of it"),
        (b"\xff\xfe\x00", "not JSON, or not the whole of it"),
        ('{"benchmarks": 3}', "not of pytest-benchmark"),
        ('{"rows": []}', "not of pytest-benchmark"),
        ("[]", "not of pytest-benchmark"),
        ('{"benchmarks": [{"name": "a", "extra_info": {}}]}', "holds no row of technobench"),
        (altered(status="splendid"), "holds no row of this version"),
        (altered(run_id="../../elsewhere"), "is no id of a run"),
    ],
)
def test_what_cannot_be_imported_is_a_sentence(tmp_path, content, said):
    path = tmp_path / "given.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as raised:
        cli.technobench(
            ["import", "pytest-benchmark", str(path), "--results", str(tmp_path / "results")], standalone_mode=False
        )
    assert str(raised.value).startswith(f"{path}: ") and said in str(raised.value)
    assert not (tmp_path / "results").exists()


def test_wrong_input_ends_with_2_and_a_sentence(technobench, tmp_path):
    (tmp_path / "torn.json").write_text(json.dumps(to_json([row()]))[:-40])
    done = technobench("import", "pytest-benchmark", "torn.json")
    assert done.code == 2
    assert done.err.startswith("error: torn.json: not JSON") and done.err.count("\n") == 1
    done = technobench("export", "pytest-benchmark", "none", "-o", "run.json")
    assert done.code == 2
    assert done.err.startswith("error: no run 'none'") and done.err.count("\n") == 1


def test_asv_tells_failed_from_skipped(tmp_path):
    asv_results.write(EACH_STATUS, tmp_path, "box")
    commit = EACH_STATUS[0].commit
    written = json.loads((tmp_path / "box" / f"{commit[:8]}-py3.13-threads2.json").read_text())
    assert (written["version"], written["commit_hash"]) == (2, commit)
    values = {name.split()[0].partition("variant-")[2]: value[0][0] for name, value in written["results"].items()}
    assert values.pop("ok") == statistics.median(row().seconds)
    assert {name for name, value in values.items() if value is None} == {"failed", "mismatch", "fell-back"}
    assert {name for name, value in values.items() if value is not None and math.isnan(value)} == {
        "unavailable",
        "unverified",
        "extrapolated",
    }
    known = dict(zip(written["result_columns"], written["results"]["predict/variant-ok seed@0.5"], strict=False))
    assert known["samples"] == [row().seconds]
    assert known["started_at"] == datetime(2026, 11, 22, 13, tzinfo=UTC).timestamp() * 1000
    assert json.loads((tmp_path / "box" / "machine.json").read_text())["machine"] == "box"


def test_runs_of_several_commits_share_a_folder_of_asv(tmp_path):
    asv_results.write([row()], tmp_path, "box")
    asv_results.write([row("naive")], tmp_path, "box")
    asv_results.write([row("xgboost", commit="f" * 40)], tmp_path, "box")
    described = json.loads((tmp_path / "benchmarks.json").read_text())
    assert set(described) == {f"predict/{name} seed@0.5" for name in ("native", "naive", "xgboost")} | {"version"}
    names = [set(json.loads(path.read_text())["results"]) for path in sorted(tmp_path.glob("box/*-py*.json"))]
    assert names == [{"predict/native seed@0.5", "predict/naive seed@0.5"}, {"predict/xgboost seed@0.5"}]


def test_asv_needs_a_commit(tmp_path):
    with pytest.raises(InputError, match="measure in a checkout"):
        asv_results.write([row(commit=None)], tmp_path, "box")
    (tmp_path / "benchmarks.json").write_text("[")
    with pytest.raises(InputError, match="was not written by asv"):
        asv_results.write([row()], tmp_path, "box")
