"""Rows written by hand and what they come to: every verdict, its reason, and how often whole matrices are misjudged."""

import math
import statistics

import numpy as np
import pytest
from scipy.stats import binom
from technobench.bench.cases import groups
from technobench.bench.gate.judgement import (
    EXIT_CODES,
    MEASURES,
    Decision,
    Limits,
    joint,
    judge,
    log_ratios,
    without_time,
)
from technobench.bench.launch_row import BASE, HEAD
from technobench.pipeline.errors import InputError
from technobench.pipeline.row import Status

from .gate_rows import arm, launch, launches

LIMITS = Limits()
MOST = 20


def verdict_of(rows, limits=LIMITS, last=True, others=0):
    (found,) = judge(rows, limits, last, others)
    return found


def measure_of(verdict, name):
    (found,) = [each for each in verdict.measures if each.measure == name]
    return found


def test_a_launch_is_the_median_of_its_pairs_and_a_pair_is_a_ratio():
    """Drift within a launch slows both arms; one pair that was disturbed does not count."""
    drift = [1.0, 2.0, 3.0, 4.0, 5.0]
    head = arm(cpu_seconds=[1.1 * each for each in drift[:-1]] + [500.0])
    (found,) = log_ratios([launch(0, head=head, base=arm(cpu_seconds=drift))], MEASURES[0], HEAD, BASE)
    assert found == pytest.approx(math.log(1.1))


def test_the_same_times_pass():
    found = verdict_of(launches([arm()] * 9), last=False)
    assert (found.decision, found.reason, found.launches, found.pairs) == (Decision.PASS, None, 9, 45)
    assert [each.measure for each in found.measures] == ["CPU time", "wall time", "peak memory"]
    for each in found.measures:
        assert (each.decision, each.ratio, each.low, each.high) == (Decision.PASS, 1, 1, 1)
        assert each.noise == each.visible == 0


def test_with_too_few_launches_nothing_is_told():
    found = verdict_of(launches([arm(1.5)] * 8))
    assert found.decision is Decision.INCONCLUSIVE
    assert found.reason.startswith("CPU time: too few launches")
    assert measure_of(found, "CPU time").low is None
    assert measure_of(found, "CPU time").ratio == pytest.approx(1.5)


def test_a_slow_down_beyond_the_limit_is_told_at_any_look():
    found = verdict_of(launches([arm(1.05)] * 13), last=False)
    assert (found.decision, found.reason) == (Decision.REGRESSION, None)
    cpu = measure_of(found, "CPU time")
    assert cpu.probability == pytest.approx(2.0**-13)
    assert cpu.low == cpu.ratio == cpu.high == pytest.approx(1.05)
    assert measure_of(found, "peak memory").decision is Decision.PASS


SURE_BUT_NOT_BY_HOW_MUCH = [arm(1.0 + share) for share in [0.02] * 8 + [0.035] * 12]
"""Slower in every launch, by more than the limit in 12 of 20."""


def test_a_slow_down_whose_size_is_not_sure_is_told_at_the_last_look_alone():
    rows = launches(SURE_BUT_NOT_BY_HOW_MUCH)
    assert verdict_of(rows, last=False).decision is Decision.INCONCLUSIVE
    found = verdict_of(rows)
    assert found.decision is Decision.REGRESSION
    assert measure_of(found, "CPU time").probability == pytest.approx(2.0**-20)


def test_a_slow_down_whose_median_is_within_the_limit_is_none():
    rows = launches([arm(1.0 + share) for share in [0.02] * 12 + [0.035] * 8])
    found = verdict_of(rows)
    assert found.decision is Decision.INCONCLUSIVE
    assert "the limit is 3 %" in found.reason


def test_what_cannot_be_told_says_what_would_have_been_seen():
    shares = np.resize([-0.08, 0.07], 20)
    found = verdict_of(launches([arm(1 + share) for share in shares], again=arm(1.01)))
    assert found.decision is Decision.INCONCLUSIVE
    cpu = measure_of(found, "CPU time")
    assert cpu.low == pytest.approx(0.92) and cpu.high == pytest.approx(1.07)
    assert cpu.visible == pytest.approx(cpu.ratio / cpu.low - 1)
    assert f"an effect of {100 * cpu.visible:.2g} % would be seen" in found.reason
    assert verdict_of(launches([arm(1 + share) for share in shares]), last=False).reason is None


def test_noise_is_of_the_base_against_itself():
    again = [arm(1 + share) for share in np.resize([-0.04, 0.04], 20)]
    rows = [launch(number, again=each) for number, each in enumerate(again)]
    cpu = measure_of(verdict_of(rows), "CPU time")
    assert cpu.noise == pytest.approx(math.sqrt(1.04 / 0.96) - 1)
    alone = [launch(number, arms={BASE: arm(), HEAD: arm()}) for number in range(20)]
    assert measure_of(verdict_of(alone), "CPU time").noise is None


def test_wall_time_alone_is_an_alarm_where_it_is_sure():
    found = verdict_of(launches([arm(1.0, wall=1.5)] * 20), last=False)
    assert found.decision is Decision.REGRESSION
    assert measure_of(found, "CPU time").decision is Decision.PASS
    assert measure_of(found, "wall time").decision is Decision.REGRESSION


def test_wall_time_that_is_noisy_keeps_no_case_from_passing():
    walls = np.resize([0.7, 1.4], 20)
    found = verdict_of(launches([arm(1.0, wall=wall) for wall in walls]))
    assert found.decision is Decision.PASS
    assert measure_of(found, "wall time").decision is Decision.INCONCLUSIVE


@pytest.mark.parametrize(("growth", "decision"), [(1.09, Decision.PASS), (1.11, Decision.REGRESSION)])
def test_memory_has_a_limit_of_its_own(growth, decision):
    found = verdict_of(launches([arm(bigger=growth)] * 12), last=False)
    assert found.decision is decision
    assert measure_of(found, "CPU time").decision is Decision.PASS
    assert measure_of(found, "peak memory").ratio == pytest.approx(growth)


def test_memory_that_is_not_known_yet_keeps_a_case_open_and_one_that_nobody_tells_does_not():
    peaks = np.resize([0.8, 1.3], 20)
    assert verdict_of(launches([arm(bigger=peak) for peak in peaks])).decision is Decision.INCONCLUSIVE
    assert verdict_of(launches([arm(peak_bytes=None)] * 9)).decision is Decision.PASS


def test_instructions_tell_what_times_do_not():
    base, head = arm(instructions=[10**9] * 5), arm(instructions=[1_050_000_000] * 5)
    found = verdict_of(launches([head] * 13, base=base), last=False)
    assert found.decision is Decision.REGRESSION
    assert measure_of(found, "instructions").ratio == pytest.approx(1.05)


def test_a_counter_that_stays_at_nought_measures_nothing():
    """As some virtual machines offer one."""
    counted = arm(instructions=[0] * 5)
    found = verdict_of(launches([counted] * 9, base=counted))
    assert found.decision is Decision.PASS
    assert "instructions" not in [each.measure for each in found.measures]


WRONG = {"status": Status.MISMATCH, "reason": "the answer is off by 0.5; the tolerance is 1e-05"}
ABSENT = {"status": Status.UNAVAILABLE, "reason": "there is no variant predict/native"}


@pytest.mark.parametrize(
    ("arms", "decision", "said"),
    [
        ({"head": arm(0.5, **WRONG)}, Decision.INVALID, "head: mismatch: the answer is off by 0.5"),
        ({"base": arm(**WRONG)}, Decision.NOT_MEASURED, "base: mismatch: the answer is off"),
        ({"base": arm(**WRONG), "head": arm(**WRONG)}, Decision.INVALID, "head: mismatch: the answer is off"),
        ({"again": arm(**WRONG)}, Decision.INVALID, "again: mismatch: the answer is off"),
        ({"head": arm(0.5, status=Status.FELL_BACK, reason="done on cpu")}, Decision.INVALID, "head: fell-back: done"),
        ({"head": arm(status=Status.FAILED, reason="crash: it")}, Decision.INVALID, "head: failed: crash"),
        ({"head": arm(status=Status.UNVERIFIED, reason="no reference")}, Decision.INVALID, "head: unverified: no ref"),
        ({"head": arm(problem_digest="another")}, Decision.INVALID, "do not solve the same problem"),
        ({"head": arm(0.5, error=0.01, tolerance=0.1)}, Decision.INVALID, "off by 0.01; the base's tolerance is 1e-05"),
        ({"head": arm(cpu_seconds=[], seconds=[])}, Decision.INVALID, "no CPU time was measured"),
        ({"head": arm(**ABSENT)}, Decision.INVALID, "head: unavailable: there is no variant"),
        ({"base": arm(**ABSENT)}, Decision.NOT_MEASURED, "base: unavailable: there is no variant"),
        ({"base": arm(**ABSENT), "head": arm(**ABSENT)}, Decision.NOT_MEASURED, "base: unavailable: there is"),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_what_cannot_be_compared_is_told_from_its_first_launch(arms, decision, said, last):
    """However fast the head is, and whatever the launches before it say."""
    rows = [*launches([arm(0.5)] * 12), launch(12, **arms)]
    found = verdict_of(rows, last=last)
    assert found.decision is decision
    assert said in found.reason
    assert found.measures == ()
    assert found.launches == 13


def test_the_gravest_decision_is_the_joint_one():
    found = {
        Decision.INVALID: launches([arm(**WRONG)], "wrong"),
        Decision.REGRESSION: launches([arm(2.0)] * 20, "slow"),
        Decision.INCONCLUSIVE: launches([arm()] * 3, "few"),
        Decision.PASS: launches([arm()] * 20, "fine"),
        Decision.NOT_MEASURED: [launch(0, "absent", base=arm(**ABSENT))],
    }
    left = list(found)
    for gravest in (Decision.INVALID, Decision.REGRESSION, Decision.INCONCLUSIVE, Decision.PASS):
        verdicts = judge([row for decision in reversed(left) for row in found[decision]], LIMITS, last=True)
        assert [verdict.decision for verdict in verdicts] == left[::-1]
        assert joint(verdicts) is gravest
        left.remove(gravest)
    assert joint(judge(found[Decision.NOT_MEASURED], LIMITS, last=True)) is Decision.INVALID
    assert joint([]) is Decision.INVALID
    assert {decision.value: code for decision, code in EXIT_CODES.items()} == {
        "pass": 0,
        "regression": 1,
        "inconclusive": 3,
        "invalid": 4,
    }


def test_a_case_that_was_without_time_is_inconclusive_and_nothing_at_all_is_invalid():
    left = without_time(launch().key, "predict/native whotracksme@1")
    assert joint([*judge(launches([arm()] * 9), LIMITS, last=True), left]) is Decision.INCONCLUSIVE
    assert joint([left]) is Decision.INCONCLUSIVE
    assert joint([]) is Decision.INVALID


def test_cases_that_differ_in_anything_are_judged_apart():
    rows = [launch(0), launch(0, scale=2.0), launch(0, threads=1), launch(0, parameters={"trees": 9}), launch(1)]
    assert [verdict.launches for verdict in judge(rows, LIMITS, last=True)] == [2, 1, 1, 1]


@pytest.mark.parametrize("alpha", [0.0, 1.0, 4.0])
def test_an_alpha_that_is_no_probability_is_refused(alpha):
    with pytest.raises(InputError, match="choose one above 0 % and below 100 %"):
        Limits(alpha=alpha)


def test_looks_are_spread_from_the_first_that_can_tell_to_the_last():
    assert Limits().launches_at(20) == [9, 13, 16, 20]
    assert Limits().launches_at(9) == Limits().launches_at(1) == [9]
    assert Limits().launches_at(10) == [9, 10]
    for most in range(1, 60):
        looks = Limits().launches_at(most)
        assert looks[-1] == max(most, 9) and len(looks) <= LIMITS.looks
    # at the first, a case alone passes where all of its launches are within the limit
    assert 2.0**-9 <= LIMITS.alpha_of_a_look < 2.0**-8


def _plain_alarms(rows, limits, others):
    """Holm's procedure over each case's and measure's probability at the limit, from counts of launches alone."""
    probabilities = []
    for case in dict.fromkeys(row.key for row in rows):
        for measure in MEASURES:
            values = log_ratios([row for row in rows if row.key == case], measure, HEAD, BASE)
            if values:
                above = sum(value > math.log1p(measure.limit(limits)) for value in values)
                tails = sum(math.comb(len(values), k) for k in range(above, len(values) + 1))
                probabilities.append(((case, measure.name), tails / 2 ** len(values)))
    left, told = [*probabilities, *[(None, 1.0)] * others * len(MEASURES)], set()
    while left:
        least = min(left, key=lambda each: each[1])
        if least[1] > limits.alpha / limits.looks / len(left):
            break
        left.remove(least)
        told.add(least[0])
    return told


@pytest.mark.parametrize("others", [0, 3])
def test_alarms_over_a_matrix_are_holms(others):
    random = np.random.default_rng(4)
    for _ in range(20):
        rows = []
        for number in range(6):
            slower = 1.03 + random.choice([-0.01, 0.0, 0.01, 0.02]) + 0.02 * random.normal(size=20)
            rows += launches([arm(each) for each in slower], f"variant-{number}")
        limits = Limits(alpha=0.2)
        found = judge(rows, limits, last=False, others=others)
        told = {(v.key, m.measure) for v in found for m in v.measures if m.decision is Decision.REGRESSION}
        assert told == _plain_alarms(rows, limits, others)


def test_the_more_cases_the_more_it_takes():
    """16 of 20 launches: enough for a case alone at 5 % a look, not for one of thirty."""
    rows = launches([arm(1.1)] * 16 + [arm(0.9)] * 4)
    assert verdict_of(rows, Limits(alpha=0.2), last=False).decision is Decision.REGRESSION
    assert verdict_of(rows, Limits(alpha=0.2), last=False, others=29).decision is Decision.INCONCLUSIVE


def gate(cases, limits=LIMITS):
    """As a gate goes: each case until a look decides it, among all the cases; then all of them once more.

    cases: float[cases, launches]: log-ratios of CPU time; wall time is noisier.
    """
    rows = []
    for number, ratios in enumerate(cases):
        of_case = launches([arm(math.exp(ratio)) for ratio in ratios], f"variant-{number}")
        for look in limits.launches_at(len(ratios)):
            if (
                verdict_of(of_case[:look], limits, last=False, others=len(cases) - 1).decision
                is not Decision.INCONCLUSIVE
            ):
                break
        rows += of_case[:look]
    return judge(rows, limits, last=True)


def _cauchy(random, shape):
    return 0.01 * random.standard_cauchy(shape)


def _shared(random, shape):
    """Three launches in ten are disturbed: five times as noisy, in every case that they measure alike."""
    return 0.012 * random.normal(size=shape) * np.where(random.random((1, shape[1])) < 0.3, 5, 1)


def _at_most(rate, repetitions):
    """The number of alarms that such a rate exceeds once in a thousand times."""
    return binom.isf(0.001, repetitions, rate)


@pytest.mark.parametrize("noise", [_cauchy, _shared])
def test_false_alarms_over_a_matrix_of_twenty_cases_are_as_few_as_promised(noise):
    """Against none allowed, which is the hardest; at alpha 20 %, where there are some to be counted."""
    random, repetitions = np.random.default_rng(5), 30
    limits = Limits(slowdown=0.0, alpha=0.2)
    alarms = [
        any(verdict.decision is Decision.REGRESSION for verdict in gate(noise(random, (20, MOST)), limits))
        for _ in range(repetitions)
    ]
    assert sum(alarms) <= _at_most(limits.alpha, repetitions)


def test_false_alarms_of_one_case_are_as_few_as_promised():
    """All looks together, at 1 %: in a case alone Holm gives away least."""
    random, repetitions = np.random.default_rng(6), 400
    for limits in (Limits(), Limits(slowdown=0.0)):
        alarms = sum(joint(gate(_cauchy(random, (1, MOST)), limits)) is Decision.REGRESSION for _ in range(repetitions))
        assert alarms <= _at_most(limits.alpha, repetitions)


@pytest.mark.parametrize(("allowed", "least"), [(0.03, 0.9), (0.0, 0.9)])
def test_a_slow_down_of_three_and_a_half_per_cent_is_caught(allowed, least):
    """With a standard deviation of 1.2 % over launches, as measured on a shared machine with two cores, loaded."""
    random, repetitions = np.random.default_rng(7), 300
    slow = math.log(1.035) + 0.012 * random.normal(size=(repetitions, 1, MOST))
    caught = sum(joint(gate(each, Limits(slowdown=allowed))) is Decision.REGRESSION for each in slow)
    assert caught >= least * repetitions


def test_a_slow_down_of_the_limit_seldom_passes():
    random, repetitions = np.random.default_rng(8), 400
    limits = Limits(alpha=0.1)
    at_limit = math.log(1.03) + 0.012 * random.normal(size=(repetitions, 1, MOST))
    passed = sum(joint(gate(each, limits)) is Decision.PASS for each in at_limit)
    assert 0 < passed <= _at_most(limits.alpha, repetitions)


def test_no_change_passes_where_noise_lets_it():
    random = np.random.default_rng(9)
    decisions = [joint(gate(0.012 * random.normal(size=(1, MOST)))) for _ in range(100)]
    assert decisions.count(Decision.PASS) >= 95
    launches_needed = [gate(0.012 * random.normal(size=(1, MOST)))[0].launches for _ in range(40)]
    assert statistics.median(launches_needed) < MOST


def test_cases_of_one_variant_are_told_apart_by_what_varies():
    """By the name of the run's groups, under which a calibration is kept."""
    (group, other) = groups(
        ["predict"], ["native"], ["whotracksme"], [1.0], None, {"trees": ["8", "9"], "depth": ["3"]}
    )
    rows = [
        launch(number, parameters=each.parameters, varied=list(each.varied))
        for each in (group, other)
        for number in range(9)
    ]
    names = [found.name for found in judge(rows, LIMITS, last=True)]
    assert names == [each.case_name(each.variants[0]) for each in (group, other)]
    assert names[0].endswith(" trees=8")
