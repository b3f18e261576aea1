"""``technobench compare``: what is told of two runs and of two environments, and what is refused."""

import importlib
import json
import math
import random
import re
import shlex
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest
from technobench.bench import statistics as ours
from technobench.bench import store
from technobench.bench.cli import technobench as command_line
from technobench.bench.gate.comparison import Outcome, as_comparison, compare_launches, outcome_of
from technobench.bench.gate.judgement import Decision, Limits
from technobench.bench.gate.run_comparison import compare_runs
from technobench.bench.launch_row import AGAIN, BASE, HEAD, ArmSample, LaunchRow
from technobench.pipeline.errors import InputError
from technobench.pipeline.row import Status

from .conftest import SMALL
from .test_store import row

LIMITS = Limits()
compare_command = importlib.import_module("technobench.bench.commands.compare")
ROUNDS = 12


def noisy(seconds: float, seed: int, noise: float = 0.01, count: int = ROUNDS) -> list[float]:
    source = random.Random(seed)
    return [seconds * math.exp(source.gauss(0, noise)) for _ in range(count)]


def case(variant: str, seconds: list[float] | None, session: str, **changed):
    """A row with times; CPU time is twice the wall time."""
    cpu = None if seconds is None else [2 * each for each in seconds]
    usual = {"warmup_seconds": 1.0, "peak_bytes": 100 << 20, "problem_digest": "p", "host": {"cores": 2}}
    return row(variant, seconds=seconds, cpu_seconds=cpu, session=session, **{**usual, **changed})


def run_of(factor: float, session: str, machine: float = 1.0, seed: int = 0, **changed) -> list:
    """An anchor and a case that is slower by a factor, both on a machine that is slower by another."""
    anchor = case("batched-sparse", noisy(4 * machine, seed), session, **changed)
    return [anchor, case("native", noisy(1 * machine * factor, seed + 1), session, **changed)]


def compared(before, after, variant: str = "native", limits: Limits = LIMITS):
    (found,) = [each for each in compare_runs(before, after, limits) if each.key[1] == variant]
    return found


def told(found, measure: str = "CPU time"):
    (one,) = [each for each in found.measures if each.measure == measure]
    return one


@pytest.mark.parametrize("machine", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("factor", "expected"), [(1.0, Outcome.SAME), (1.25, Outcome.SLOWER), (0.8, Outcome.FASTER)])
def test_by_way_of_the_anchor_the_machine_s_speed_does_not_matter(machine, factor, expected):
    """So it is, too, where B's machine is of another class."""
    after = run_of(factor, "b", machine, seed=9, host={"cores": 64})
    found = told(compared(run_of(1.0, "a"), after))
    assert found.how == "to batched-sparse"
    assert found.outcome is expected
    assert found.ratio == pytest.approx(factor, rel=0.03)
    assert found.low < found.ratio < found.high
    assert found.pairs == ROUNDS
    assert told(compared(run_of(1.0, "a"), after), "wall time").ratio == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize(("factor", "expected"), [(1.3, Outcome.UNTOLD), (4.0, Outcome.SLOWER), (0.2, Outcome.FASTER)])
def test_without_an_anchor_times_are_marked_and_only_much_is_told(factor, expected):
    before, after = run_of(1.0, "a")[1:], run_of(factor, "b", seed=5)[1:]
    found = told(compared(before, after))
    assert (found.how, found.outcome) == ("times, not in turn", expected)
    elsewhere = [case("native", after[0].seconds, "b", host={"cores": 64})]
    assert told(compared(before, elsewhere)).outcome is Outcome.UNTOLD


def test_an_anchor_of_another_session_or_without_warm_up_did_not_run_in_turn():
    before, after = run_of(1.0, "a"), run_of(1.0, "b")
    for anchor in (
        case("batched-sparse", noisy(4, 0), "c"),
        case("batched-sparse", noisy(4, 0), "b", warmup_seconds=None),
        case("batched-sparse", noisy(4, 0), "b", status=Status.MISMATCH),
    ):
        assert told(compared(before, [anchor, after[1]])).how == "times, not in turn"


def test_another_variant_is_the_anchor_where_the_usual_one_is_missing():
    before = [case("xgboost", noisy(3, 1), "a"), case("native", noisy(1, 2), "a")]
    after = [case("xgboost", noisy(9, 3), "b"), case("native", noisy(3, 4), "b")]
    found = told(compared(before, after))
    assert (found.how, found.outcome) == ("to xgboost", Outcome.SAME)


def test_noise_within_a_run_widens_what_can_be_told():
    calm = told(compared(run_of(1.0, "a"), run_of(1.1, "b", seed=3)))
    restless = [
        case("batched-sparse", noisy(4, 3, 0.2), "b"),
        case("native", noisy(1.1, 4, 0.2), "b"),
    ]
    loud = told(compared(run_of(1.0, "a"), restless))
    assert calm.outcome is Outcome.SLOWER and loud.outcome is Outcome.UNTOLD
    assert loud.noise > 3 * calm.noise and loud.visible > 3 * calm.visible


def test_few_rounds_have_no_interval_and_tell_nothing():
    before = [case("native", [1.0, 1.0, 1.0, 1.0], "a"), case("batched-sparse", [4.0] * 4, "a")]
    after = [case("native", [9.0, 9.0, 9.0, 9.0], "b"), case("batched-sparse", [4.0] * 4, "b")]
    found = told(compared(before, after))
    assert (found.ratio, found.low, found.outcome) == (9.0, None, Outcome.UNTOLD)


@pytest.mark.parametrize(
    ("changed", "outcome", "said"),
    [
        ({"status": Status.FAILED, "reason": "crash", "seconds": None}, Outcome.INVALID, "B is failed (crash)"),
        ({"status": Status.MISMATCH, "reason": "off"}, Outcome.INVALID, "B is mismatch (off)"),
        ({"status": Status.FELL_BACK, "reason": "cpu"}, Outcome.INVALID, "B is fell-back (cpu)"),
        ({"status": Status.UNAVAILABLE, "reason": "no GPU", "seconds": None}, Outcome.NOT_COMPARED, "no GPU"),
        ({"threads": 4}, Outcome.NOT_COMPARED, "A had 2 threads, B 4"),
        ({"problem_digest": "other"}, Outcome.NOT_COMPARED, "do not solve the same problem"),
        ({"dataset": "mine"}, Outcome.NOT_COMPARED, "only in B"),
    ],
)
def test_what_cannot_be_compared_says_why(changed, outcome, said):
    other = case("native", **{"seconds": noisy(1, 1), "session": "b", **changed})
    found = (
        compared(run_of(1.0, "a"), [other])
        if "dataset" not in changed
        else compare_runs(run_of(1, "a"), [other], LIMITS)[0]
    )
    assert found.outcome is outcome and said in found.reason and found.measures == ()


def test_what_only_a_has_is_told():
    found = compare_runs(run_of(1.0, "a"), run_of(1.0, "b")[1:], LIMITS)
    assert [(each.key[1], each.reason) for each in found if not each.measures] == [("batched-sparse", "only in A")]


@pytest.mark.parametrize(("peak", "expected"), [(100, Outcome.SAME), (130, Outcome.MORE), (70, Outcome.LESS)])
def test_memory_is_told_by_its_mark(peak, expected):
    after = run_of(1.0, "b", peak_bytes=peak << 20)
    assert told(compared(run_of(1.0, "a"), after), "peak memory").outcome is expected


def test_the_interval_of_a_quotient_covers_as_often_as_it_says():
    """Against the known ratio of the medians of two log-normal samples, 300 times."""
    random_numbers = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        above = 1.3 * np.exp(0.2 * random_numbers.standard_normal(15))
        below = np.exp(0.1 * random_numbers.standard_normal(20))
        interval = ours.quotient_interval(above, below)
        held += interval.low <= 1.3 <= interval.high
    assert 0.9 <= held / 300 <= 0.99


def test_a_quartile_spread_is_that_of_the_standard_library():
    values = noisy(2.0, 4, 0.3, 101)
    low, median, high = statistics.quantiles(values, method="inclusive")
    assert ours.quartile_spread(values) == pytest.approx((high - low) / 2 / median)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.98, 1.02, Outcome.SAME),
        (1.001, 1.02, Outcome.SAME),
        (1.001, 1.04, Outcome.SLOWER),
        (0.9, 0.99, Outcome.FASTER),
        (0.9, 1.01, Outcome.UNTOLD),
        (None, None, Outcome.UNTOLD),
    ],
)
def test_what_an_interval_says(low, high, expected):
    assert outcome_of("CPU time", low, high, 0.03) is expected


def arm(seed: int, times: float, noise: float = 0.01, **changed) -> ArmSample:
    seconds = noisy(times, seed, noise, 5)
    usual = {"revision": "r", "status": Status.OK, "peak_bytes": 1 << 20, "problem_digest": "p"}
    return ArmSample(**{**usual, "seconds": seconds, "cpu_seconds": seconds, "error": 0.0, "tolerance": 0.1, **changed})


def launch(number: int, arms: dict[str, ArmSample], **changed) -> LaunchRow:
    usual = {"gate_id": "g", "stage": "predict", "variant": "native", "device": "cpu", "dataset": "seed", "scale": 1.0}
    usual |= {"threads": 2, "parameters": {}, "repeats": 1, "host": {}, "alerts": [], "started": "", "command": ""}
    return LaunchRow(**{**usual, "launch": number, "arms": arms, **changed})


def launches(factor: float, count: int, noise: float = 0.01, seed: int = 0, **head) -> list[LaunchRow]:
    """Synthetic launches of three arms, five pairs each; the head is slower by a factor, and takes as much memory."""
    seeds = [seed + 3 * number for number in range(count)]
    return [
        launch(
            number,
            {BASE: arm(at, 1.0, noise), HEAD: arm(at + 1, factor, noise, **head), AGAIN: arm(at + 2, 1.0, noise)},
        )
        for number, at in enumerate(seeds)
    ]


@pytest.mark.parametrize(("factor", "expected"), [(1.1, Outcome.SLOWER), (0.9, Outcome.FASTER), (1.0, Outcome.SAME)])
def test_launches_are_told_both_ways_and_end_when_told(factor, expected):
    (found,) = compare_launches(launches(factor, 20), LIMITS)
    assert found.outcome is told(found).outcome is expected
    assert told(found).ratio == pytest.approx(factor, rel=0.02)
    assert told(found).pairs == 100
    assert 0 < told(found).noise < 0.03
    assert as_comparison(launches(factor, 20), LIMITS, False, 0) == (Decision.PASS, expected)
    assert as_comparison(launches(factor, 3), LIMITS, False, 0) == (Decision.INCONCLUSIVE, Outcome.UNTOLD)


def test_launches_of_the_same_code_are_seldom_told_apart():
    """At a mark of 0, where nothing is the same; either bound is wrong in a fourth of 1 % at such a look."""
    exact = Limits(slowdown=0.0, memory_growth=0.0)
    found = [compare_launches(launches(1.0, 9, 0.05, seed), exact)[0] for seed in range(0, 300 * 27, 27)]
    assert sum(each.outcome is not Outcome.UNTOLD for each in found) <= 6


def test_a_failed_arm_is_invalid_and_ends_the_case():
    rows = launches(1.0, 1, status=Status.FAILED, reason="crash")
    (found,) = compare_launches(rows, LIMITS)
    assert found.outcome is Outcome.INVALID and "head: failed" in found.reason
    assert as_comparison(rows, LIMITS, False, 0)[0] is Decision.INVALID


def write(folder, name: str, rows) -> None:
    file = store.RunFile(folder, name)
    for each in rows:
        file.append(each)
    file.close()


def test_the_anchor_itself_is_not_compared_by_way_of_what_is_compared_with_it():
    found = told(compared(run_of(1.0, "a"), run_of(0.5, "b", seed=3), "batched-sparse"))
    assert (found.how, found.outcome) == ("times, not in turn", Outcome.UNTOLD)


def ended(*arguments: str) -> int:
    """The exit code of ``technobench compare``, in this process."""
    return command_line.main(["compare", *arguments], standalone_mode=False)


def test_two_runs_as_text_markdown_and_json(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "results", "20260101-first", run_of(1.0, "a"))
    other = case("o|dd`", None, "b", status=Status.FAILED, reason="<crash>")
    write(tmp_path / "results", "20260102-second", [*run_of(1.25, "b", seed=3), other])
    files = ("--markdown", "out/c.md", "--json", "out/c.json")
    assert ended("20260101", "results/20260102-second.jsonl", *files) == 0
    out = capsys.readouterr().out
    assert "slower" in out and "to batched-sparse" in out and "only in B" in out
    found = json.loads((tmp_path / "out" / "c.json").read_text())
    (native,) = [each for each in found["cases"] if "native" in each["name"]]
    assert native["measures"][0]["outcome"] == "slower"
    page = (tmp_path / "out" / "c.md").read_text()
    assert "o¦dd'" in page and "slower" in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    write(tmp_path / "results", "20260103-third", [case("native", None, "c", status=Status.FAILED, reason="crash")])
    assert ended("20260101", "20260103") == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("20260101", "none"), "no run 'none'"),
        (("20260101", "."), "without bin/python is no environment"),
        (("20260101", sys.executable), "name two of a kind"),
        (("20260101", "20260101", "--threads", "2"), "leave out threads"),
        (("20260101", "20260101", "-k", "nothing"), "no case of either run matches"),
        (("/bin/true", "/bin/false"), "technobench is not installed there"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, arguments, said):
    write(tmp_path / "results", "20260101-first", run_of(1.0, "a"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(said)):
        ended(*arguments)


def test_two_environments_are_the_arms_that_run_in_turn(tmp_path, monkeypatch, capsys):
    """A folder and an interpreter; how they are measured is replaced, and tested with the gate."""
    folder = tmp_path / "environment" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (folder / "python").chmod(0o755)
    plans = []

    def measure_all(plan, rows, *_):
        plans.append(plan)
        rows += launches(0.8, 9, versions={"xgboost": "9.9"})

    monkeypatch.setattr(compare_command, "measure_all", measure_all)
    monkeypatch.chdir(tmp_path)
    chosen = "--stage", "predict", "--variant", "xgboost", *SMALL, "--json", "c.json"
    assert ended("environment", sys.executable, *chosen, "--max-slowdown", "2%") == 0
    (plan,) = plans
    assert [each.name for each in plan.arms] == [BASE, HEAD, AGAIN]
    assert [each.python for each in plan.arms] == [folder / "python", Path(sys.executable), folder / "python"]
    assert plan.limits.slowdown == pytest.approx(0.02) and plan.judging is as_comparison
    out = capsys.readouterr().out
    assert "faster" in out and "from A to B: xgboost absent to 9.9" in out
    found = {each["name"]: each for each in json.loads((tmp_path / "c.json").read_text())["cases"]}
    assert found["predict/native seed@1"]["outcome"] == "faster"
    assert found["predict/xgboost whotracksme@1"]["reason"] == "no time left"
