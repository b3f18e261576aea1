"""The command sweep: points of an axis are rows of one run, resumed after a kill, refused where they make no sense."""

import re
import time

import psutil
import pytest
from click.testing import CliRunner
from technobench.bench import host
from technobench.bench.cases import groups
from technobench.bench.cli import technobench as command_line
from technobench.bench.commands.sweep import parts
from technobench.bench.memory_warnings import expected_peak, memory_warnings
from technobench.bench.sweep_table import sweep_tables
from technobench.bench.table import wide_console
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.errors import InputError
from technobench.pipeline.row import Row, Status, decode, encode

from .conftest import SMALL
from .plan_curves import row

ROWS = ("sweep", "--stage", "matrix_build", "--variant", "batched-sparse", *SMALL, "--rounds", "3", "--budget", "2")
ROWS = (*ROWS, "--axis", "rows", "--points", "0.2k,1600")


def options(*words):
    return command_line.commands["sweep"].make_context("sweep", list(words)).params


def printed(rows, axis, capsys):
    console = wide_console()
    for table in sweep_tables(rows, axis):
        console.print(table)
    return capsys.readouterr().out


def test_a_case_that_did_not_run_has_its_scale_and_not_no_rows(capsys):
    absent = row(None, sizes={}, scale=8.0, status=Status.UNAVAILABLE, reason="no device")
    text = printed([absent, row(records=1000)], "rows", capsys)
    line = next(line for line in text.splitlines() if "unavailable" in line)
    assert "scale 8" in line
    assert " 0 " not in line


def test_a_killed_sweep_goes_on_where_it_was(start, technobench, tmp_path):
    process = start(*ROWS)
    until = time.monotonic() + 100
    while not (found := list((tmp_path / "results").glob("*.jsonl"))) or not found[0].stat().st_size:
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.communicate()
    (path,) = found
    before = path.read_bytes()
    done = technobench("sweep", "--resume")
    assert done.code == 0
    assert path.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    rows = [decode(line) for line in path.read_bytes().splitlines()]
    assert sorted(row.sizes["records"] for row in rows) == [200, 1600]
    assert {row.status for row in rows} == {Status.OK}
    assert len({row.session for row in rows}) == 2
    assert all(row.command.startswith("technobench sweep") and row.command.endswith(ROWS[-1]) for row in rows)
    assert "along rows" in done.out
    assert "matrix_build/batched-sparse seed: no fit: measured at 200, 1,600 rows; it takes 3 values" in done.out


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """The command line in this process; a case takes no time, and rows say what was asked. Gives (group, settings)."""
    asked = []

    def instead(group, settings, say, keep):
        asked.append((group, settings))
        for variant in group.variants:
            yield row(
                stage=group.stage,
                variant=variant.name,
                dataset=group.dataset,
                scale=group.scale,
                parameters=group.parameters,
                threads=settings.threads,
                records=round(41_776 * group.scale),
                run_id=settings.run_id,
                command=settings.command,
            )

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("technobench.bench.commands.run.measure", instead)
    monkeypatch.setattr("technobench.bench.commands.run.make_datasets", lambda groups: None)
    return asked


def test_threads_are_points_too(measured, monkeypatch):
    monkeypatch.setattr(host, "usable_cores", lambda: 8)
    case = ["sweep", "--stage", "predict", "--variant", "native"]
    done = CliRunner().invoke(command_line, [*case, "--axis", "threads", "--points", "1,2,4"])
    assert done.exit_code == 0
    assert sorted(settings.threads for _, settings in measured) == [1, 2, 4]
    assert "predict/native seed@1 threads=4" in done.stderr
    assert re.search(r"predict/native seed: contention 1 \(", done.stdout)
    resumed = CliRunner().invoke(command_line, ["sweep", "--resume", "--dry-run"])
    assert (resumed.exit_code, resumed.stdout) == (0, "")


def test_a_sweep_is_gone_on_with_by_its_own_command(measured):
    case = ["sweep", "--stage", "predict", "--variant", "native", "--axis", "trees", "--points", "10,40,160"]
    assert CliRunner().invoke(command_line, case).exit_code == 0
    assert sorted(group.parameters["trees"] for group, _ in measured) == [10, 40, 160]
    refused = CliRunner().invoke(command_line, ["run", "--resume"])
    assert isinstance(refused.exception, InputError)
    assert "go on with it by 'technobench sweep --resume" in str(refused.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stage", "predict"], "say what to sweep by --axis and --points"),
        (["--axis", "rows", "--points", "10,20"], "say which cases to sweep by --stage"),
        (["--axis", "rows", "--points", "10,many"], "'many' is no number above 0"),
        (["--axis", "rows", "--points", "10,,20"], "'' is no number above 0"),
        (["--axis", "trees", "--points", "0,10"], "'0' is no number above 0"),
        (["--axis", "rows", "--points", "10", "--dataset", "whotracksme"], "one size; those of any size are"),
        (["--axis", "rows", "--points", "10", "--dataset", "nonsense"], "no dataset 'nonsense'"),
        (["--axis", "rows", "--points", "10", "--scale", "2"], "leave out --scale"),
        (["--axis", "trees", "--points", "10", "--trees", "5"], "leave out trees elsewhere"),
        (["--axis", "batch", "--points", "10", "--param", "batch_records=5"], "leave out batch_records elsewhere"),
        (["--axis", "depth", "--points", "2.5"], "must be of type int"),
        (["--axis", "factors", "--points", "8,16"], "stage predict has no parameter factors"),
        (["--axis", "threads", "--points", "1,1000000"], "takes whole numbers up to"),
        (["--axis", "threads", "--points", "0.5"], "takes whole numbers up to"),
        (["--axis", "threads", "--points", "1", "--threads", "1"], "leave out --threads"),
    ],
)
def test_what_makes_no_sense_is_refused(words, said):
    stage = [] if "say which" in said else ["--stage", "predict"]
    with pytest.raises(InputError, match=re.escape(said)):
        parts(options(*stage, *words), "run")


def test_each_point_comes_once_in_random_order():
    chosen = options("--stage", "als", "--variant", "native", "--axis", "factors", "--points", "8,16,32,64,128,16")
    orders = [[part.group.parameters["factors"] for part in parts(chosen, f"run {n}")] for n in range(20)]
    assert all(sorted(order) == [8, 16, 32, 64, 128] for order in orders)
    assert len({tuple(order) for order in orders}) > 5
    assert orders[0] == [part.group.parameters["factors"] for part in parts(chosen, "run 0")]
    assert {part.threads for part in parts(chosen, "run")} == {host.usable_cores()}


@pytest.mark.parametrize("name", [maker.name for maker in catalogue.makers().values() if maker.rows is not None])
def test_scalable_datasets_have_as_many_rows_as_they_say(name):
    assert catalogue.get(name, 0.01).records == pytest.approx(0.01 * catalogue.makers()[name].rows, rel=0.01)


def test_the_table_says_how_time_and_memory_grow(capsys):
    rows = [
        row([2e-6 * n] * 5, records=n, peak_bytes=2**28 + 100 * n, monitored=None) for n in (1000, 4000, 16_000, 64_000)
    ]
    out = printed(
        [*rows, row(records=256_000, seconds=None, status=Status.FAILED, reason="out of memory")], "rows", capsys
    )
    assert "500,000" in out
    assert re.search(r"time grows as rows\^(0\.9[89]|1(\.0[12])?)\d* \(0\.\d+ to 1\.\d+\) at 64,000", out)
    assert "within their interval" in out
    assert re.search(r"memory: \d+ MiB anyway; at \S+ a further row takes \S+ bytes", out)
    assert "[1] out of memory" in out


def test_the_table_of_threads_has_the_law_or_what_it_lacks(capsys):
    rows = [row([(1 + 0.1 * (n - 1)) / n], threads=n) for n in (1, 2, 4, 8)]
    out = printed(rows, "threads", capsys)
    assert re.search(r"contention 0\.1 \(\S+ to \S+\), coherence \S+ \(0 to", out)
    assert "no fit: measured with 1, 2 of threads" in printed(rows[:2], "threads", capsys)


def stored_sizes(peak_of, threads=2) -> list[Row]:
    return [
        row(records=n, peak_bytes=int(peak_of(n)), parameters=problem().parameters, threads=threads)
        for n in (1000, 4000, 16_000)
    ]


def problem(scale=100.0):
    (group,) = groups(["predict"], ["native"], ["seed"], [scale], None, {"trees": ["8"], "depth": ["3"]})
    return group


def test_what_would_not_fit_is_told_from_smaller_sizes():
    available = psutil.virtual_memory().available
    rows = stored_sizes(lambda n: 1e8 + 2 * available * n / 100_000)
    expected = expected_peak(rows, problem(), problem().variants[0], 2)
    assert expected.low < 1e8 + 2 * available < expected.high
    (told,) = memory_warnings(rows, problem(), 2)
    assert re.fullmatch(
        r"predict/native seed@100: would take some \S+ GiB \(\S+ to \S+\), \S+ GiB are available \(100,000 is .*\)",
        told,
    )
    assert list(memory_warnings(rows, problem(10.0), 2)) == []
    assert list(memory_warnings(rows[:2], problem(), 2)) == []
    assert list(memory_warnings(rows, problem(), 1)) == []


def test_a_run_begins_with_the_warning(measured, tmp_path):
    rows = stored_sizes(lambda n: psutil.virtual_memory().available * n / 1000, threads=host.usable_cores())
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "20261122-120000-abcdef.jsonl").write_bytes(b"".join(encode(each) + b"\n" for each in rows))
    case = ["run", "--dataset", "seed", "--stage", "predict", *SMALL]
    done = CliRunner().invoke(command_line, [*case, "--variant", "native", "--variant", "xgboost", "--scale", "2"])
    assert done.exit_code == 0
    assert len(re.findall(r"predict/native seed@2: would take some 1?\d+(?:\.\d)? GiB", done.stderr)) == 1
    assert "predict/xgboost seed@2: would" not in done.stderr
