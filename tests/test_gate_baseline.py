"""``technobench gate --baseline``: the verdict against stored rows, what is refused, and the command end to end."""

import json
import math
import re
import shlex
from pathlib import Path

import pytest
from technobench.bench import against_baseline, host
from technobench.bench.against_baseline import Baseline
from technobench.bench.cases import parameters_of
from technobench.bench.cli import technobench as command_line
from technobench.bench.gate.baseline import Stored, as_launch, judge_against, stored
from technobench.bench.gate.judgement import Decision, Limits, joint, without_time
from technobench.bench.launch_row import BASE, HEAD
from technobench.bench.statistics import median_interval
from technobench.pipeline.errors import InputError
from technobench.pipeline.row import Status

from .conftest import SMALL
from .test_compare import case, noisy, run_of, write

LIMITS = Limits()
MiB = 1 << 20


def then(**changed) -> Stored:
    found = stored(*[(rows := run_of(1.0, "then", **changed))[1], rows])
    assert isinstance(found, Stored)
    return found


def now(factor: float, count: int, seed: int = 50, restless: float = 0.0, machine: float = 2.0, **changed) -> list:
    """Sessions of a case that is slower by a factor than `then`, on a machine that is slower by another."""
    found = []
    for number in range(count):
        of_session = factor * math.exp(restless * math.sin(number * 2.1))
        anchor, head = run_of(of_session, f"s{number}", machine, seed=seed + 2 * number, **changed)
        found.append(as_launch(head, anchor, number, "gate-1", "technobench gate"))
    return found


def judged(rows, baseline: Stored | None = None, limits: Limits = LIMITS, last: bool = True):
    (found,) = judge_against(rows, {rows[0].key: baseline or then()}, limits, last)
    return found


@pytest.mark.parametrize("machine", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(
    ("factor", "expected"), [(1.0, Decision.PASS), (0.7, Decision.PASS), (1.3, Decision.REGRESSION)]
)
def test_the_case_is_judged_in_its_anchor_s_time(machine, factor, expected):
    found = judged(now(factor, 12, machine=machine))
    assert found.decision is expected
    assert found.measures[0].ratio == pytest.approx(factor, rel=0.02)
    assert found.measures[0].low < found.measures[0].ratio < found.measures[0].high


def test_before_the_first_look_and_near_the_limit_nothing_is_said():
    assert judged(now(1.3, 5)).decision is Decision.INCONCLUSIVE
    near = judged(now(1.03, 12))
    assert near.decision is Decision.INCONCLUSIVE
    assert "the limit is 3 %" in near.reason


def test_a_stored_ratio_is_as_unsure_as_a_session():
    """Sessions differ by 10 %, and so may the one that was stored: 12 % more than it says nothing."""
    calm, restless = judged(now(1.12, 12)), judged(now(1.12, 12, restless=0.1))
    assert calm.decision is Decision.REGRESSION
    assert restless.decision is Decision.INCONCLUSIVE
    assert restless.measures[0].noise > 0.1 > calm.measures[0].noise
    assert judged(now(1.6, 12, restless=0.1)).decision is Decision.REGRESSION


def test_a_stored_ratio_is_as_unsure_as_its_own_rounds():
    rows = [case("batched-sparse", noisy(4, 1, 0.3), "then"), case("native", noisy(1, 2, 0.3), "then")]
    loud = stored(rows[1], rows)
    ratios = [above / below for above, below in zip(rows[1].cpu_seconds, rows[0].cpu_seconds, strict=True)]
    interval = median_interval(ratios)
    found = judged(now(1.12 * interval.median * 4, 12), loud)
    assert found.decision is Decision.INCONCLUSIVE
    assert found.measures[0].noise == pytest.approx(math.sqrt(interval.high / interval.low) - 1)


@pytest.mark.parametrize(("peak", "expected"), [(104, Decision.PASS), (125, Decision.REGRESSION), (60, Decision.PASS)])
def test_memory_is_that_of_the_case_and_not_in_the_anchor_s(peak, expected):
    assert judged(now(1.0, 12, peak_bytes=peak * MiB)).decision is expected


def test_another_problem_and_a_wrong_answer_are_invalid():
    other = judged(now(0.5, 1, problem_digest="other"))
    assert other.decision is Decision.INVALID and "do not solve the same problem" in other.reason
    rows = run_of(0.5, "s")
    wrong = case("native", rows[1].seconds, "s", status=Status.MISMATCH, reason="off by 1")
    found = judged([as_launch(wrong, rows[0], 0, "g", "c")])
    assert found.decision is Decision.INVALID and "off by 1" in found.reason


def test_a_session_is_kept_as_it_was_measured():
    anchor, head = run_of(1.0, "s")
    found = as_launch(head, anchor, 3, "gate-1", "command")
    assert found.key == head.key and found.launch == 3
    assert found.arms[BASE].seconds == anchor.seconds and found.arms[HEAD].cpu_seconds == head.cpu_seconds


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (run_of(1.0, "a")[1:], "nothing was measured in turn"),
        ([run_of(1.0, "b")[0], run_of(1.0, "a")[1]], "nothing was measured in turn"),
        ([case("native", None, "a", status=Status.FAILED, reason="crash")], "it is failed: crash"),
        ([case("batched-sparse", [4.0] * 4, "a"), case("native", [1.0] * 4, "a")], "less than 5 rounds"),
    ],
)
def test_rows_that_are_no_baseline_say_why(rows, said):
    assert said in stored(rows[-1], rows)


def test_a_baseline_of_other_hosts_and_threads_is_refused(tmp_path):
    write(tmp_path, "elsewhere", run_of(1.0, "a", host={**host.fingerprint(), "cores": 999}))
    path = tmp_path / "elsewhere.jsonl"
    with pytest.raises(InputError, match=re.escape("another class of host (then and now: cores 999 and")):
        Baseline.read(path, 2, other_host=False)
    assert [key[1] for key in Baseline.read(path, 2, other_host=True).usable] == ["native"]
    with pytest.raises(InputError, match=re.escape("measured with 2 threads, not 3")):
        Baseline.read(path, 3, other_host=True)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="holds no row"):
        Baseline.read(tmp_path / "empty.jsonl", 2, other_host=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "by --base, as --base main, or a file by --baseline"),
        (("--base", "main", "--baseline", "b.jsonl"), "by --base, as --base main, or a file by --baseline"),
        (("--baseline", "b.jsonl", "--head", "main", "--this-environment"), "leave out head, this_environment"),
        (("--base", "main", "--other-host"), "--other-host is for --baseline"),
    ],
)
def test_sides_that_do_not_go_together_are_refused(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.jsonl").write_text("")
    with pytest.raises(InputError, match=re.escape(said)):
        command_line.main(["gate", *options, "--stage", "predict"], standalone_mode=False)


def test_end_to_end_with_measuring_replaced(tmp_path, monkeypatch, capsys):
    """Sessions are made up: the native case is half as slow again as in the baseline."""
    monkeypatch.chdir(tmp_path)
    parameters = parameters_of("predict", {"trees": "8", "depth": "3"})
    of_case = {"dataset": "whotracksme", "parameters": parameters, "host": host.fingerprint()}
    write(tmp_path, "stored", run_of(1.0, "then", **of_case))
    asked: list[tuple[str, ...]] = []

    def measure(group, settings, say, keep):
        asked.append(tuple(variant.name for variant in group.variants))
        assert (settings.threads, settings.fallback) == (2, None)
        yield from run_of(1.5, settings.session, 3.0, seed=2 * len(asked), **of_case)

    monkeypatch.setattr(against_baseline, "measure", measure)
    chosen = ["--stage", "predict", *SMALL, "--threads", "2", "--max-slowdown", "4%"]
    variants = [word for name in ("native", "batched-sparse", "naive") for word in ("--variant", name)]
    files = ["--json", "g.json", "--markdown", "g.md", "--junit", "g.xml"]
    code = command_line.main(["gate", "--baseline", "stored.jsonl", *chosen, *variants, *files], standalone_mode=False)
    found = json.loads((tmp_path / "g.json").read_text())
    by_name = {each["name"].split()[0]: each for each in found["cases"]}
    assert set(asked) == {("batched-sparse", "native")}
    assert len(asked) in LIMITS.launches_at(20)[:-1], "until a look tells"
    assert by_name["predict/naive"]["reason"] == "the baseline has no such case"
    assert "is the anchor" in by_name["predict/batched-sparse"]["reason"]
    assert (by_name["predict/native"]["decision"], by_name["predict/native"]["launches"]) == ("regression", len(asked))
    assert by_name["predict/native"]["measures"][0]["ratio"] == pytest.approx(1.5, rel=0.03)
    assert code == found["exit_code"] == 1
    (repeat,) = [line for line in capsys.readouterr().out.splitlines() if "repeat:" in line and "native" in line]
    words = shlex.split(repeat.partition("repeat: ")[2])
    with command_line.commands["gate"].make_context("gate", words[2:]) as context:
        assert context.params["baseline"] == Path("stored.jsonl")
        assert context.params["max_slowdown"] == pytest.approx(0.04)
    before = len(asked)
    assert command_line.main(["gate", "--resume"], standalone_mode=False) == 1
    assert len(asked) == before, "what was decided is not measured again"


def test_one_case_that_passes_does_not_hide_one_that_there_was_no_time_for():
    """`joint` is what the exit code comes from."""
    passed = judged(now(1.0, 12))
    assert joint([passed]) is Decision.PASS
    assert joint([passed, without_time(passed.key, passed.name)]) is Decision.INCONCLUSIVE
