"""The capacity plan: machines and money by hand arithmetic, monotone in what is asked, honest where it cannot know."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.bench.plan.break_even import quotient
from technobench.bench.plan.capacity import capacity, plan_of
from technobench.bench.plan.capacity_tables import tables
from technobench.bench.plan.capacity_text import answers, section
from technobench.bench.plan.prices import prices_of
from technobench.bench.plan.question import Question, machines_needed
from technobench.bench.statistics import Interval, median_interval
from technobench.pipeline.contract import Variant
from technobench.pipeline.errors import InputError
from technobench.pipeline.row import Status

from .plan_rows import CPU, GPU, SIX, batch, row, throughput, watched

HOUR = Question("pipeline", 10**9, 3600.0, headroom=0.2, spares=1)
PRICES = prices_of(
    "\n".join(
        [
            'currency = "EUR"',
            *('[[machine]]\nname = "small"\ndevice = "cpu"\ncores = 8\nper_hour = 2',),
            'date = 2026-11-01\nsource = "made up"',
            '[[machine]]\nname = "big"\ndevice = "cuda"\ngpu = "GPU"\nper_hour = 10',
            'date = 2026-11-01\nsource = "made up"',
        ]
    ),
    "p.toml",
)


def variant(name, device="cpu", stage="pipeline"):
    return Variant(stage, name, device, (), ("records",), "by hand", lambda problem: None)


def only(plan):
    (offer,) = plan.offers
    return offer


def test_machines_by_hand():
    """2,880 s are usable, 30 of them set-up: 237 batches of 12 s, 285 of 10 s, 316 of 9 s; of 1,000 batches."""
    offer = only(capacity([throughput()], HOUR, None))
    assert (offer.machines, offer.machines_by_median, offer.machines_at_best) == (5, 4, 4)
    assert offer.rate == Interval(1e5, 1e6 / 12, 1e6 / 9)
    assert machines_needed(1001, 1000, 1.0, 0.0, 1.0) == 2, "what is left over is a batch as well"
    assert machines_needed(1, 1000, 1.0, 0.0, 0.999) is None


def test_costs_by_hand():
    offer = only(capacity([throughput()], HOUR, PRICES))
    assert offer.per_month is not None and offer.per_million_rows is not None
    assert offer.per_month.high == pytest.approx((5 + 1) * 2 * 730.5)
    assert offer.per_month.low == offer.per_month.median == pytest.approx((4 + 1) * 2 * 730.5)
    assert offer.per_million_rows.median == pytest.approx(10 / 3600 * 2)
    assert offer.per_million_rows.high == pytest.approx(12 / 3600 * 2)


def test_growth_by_hand():
    """Without headroom five machines do 5 x 297 batches: of 1.1^4 thousand, not of 1.1^5; with it, 1.1^12 take 14."""
    offer = only(capacity([throughput()], replace(HOUR, growth=0.1, horizon=12), None))
    assert (offer.outgrown_after, offer.machines_at_horizon) == (5, 14)
    assert only(capacity([throughput()], replace(HOUR, growth=0.1, horizon=4), None)).outgrown_after is None
    assert only(capacity([throughput()], replace(HOUR, growth=0.0), None)).outgrown_after is None


def test_the_batch_is_the_one_that_needs_the_fewest_machines_and_of_equals_the_largest():
    small, large, slow = batch(1000, (1e-2, 9e-3, 1.2e-2)), batch(10**6), batch(10**7, (300.0, 290.0, 310.0))
    assert only(capacity([throughput("native", small, large, slow)], HOUR, None)).batch is large
    few = replace(HOUR, rows=10)
    assert only(capacity([throughput("native", small, large, slow)], few, None)).batch is slow
    in_a_hurry = replace(HOUR, deadline_seconds=50.0)
    assert only(capacity([throughput("native", small, large)], in_a_hurry, None)).batch is small


@st.composite
def measured(draw):
    """A throughput of one to three batches, of which some have no interval."""
    batches = []
    for _ in range(draw(st.integers(1, 3))):
        middle = draw(st.floats(1e-3, 1e3))
        bounds = (middle * draw(st.floats(0.5, 1)), middle * draw(st.floats(1, 2)))
        setup, rows = draw(st.floats(0, 100)), draw(st.integers(1, 10**8))
        batches.append(batch(rows, (middle, *(bounds if draw(st.integers(0, 4)) else (None, None))), setup))
    return throughput("native", *batches)


asked = st.builds(
    Question,
    st.just("pipeline"),
    st.integers(1, 10**13),
    st.floats(1, 1e6),
    headroom=st.floats(0, 0.99),
    spares=st.integers(0, 3),
    growth=st.floats(0, 1),
    horizon=st.integers(1, 36),
)


def as_number(machines):
    return math.inf if machines is None else machines


@settings(max_examples=300, deadline=None)
@given(measured(), asked, st.floats(1, 10))
def test_more_work_a_tighter_deadline_and_more_headroom_never_take_fewer_machines(each, question, factor):
    def needed(other):
        return as_number(only(capacity([each], other, None)).machines)

    usual = needed(question)
    assert needed(replace(question, rows=math.ceil(question.rows * factor))) >= usual
    assert needed(replace(question, deadline_seconds=question.deadline_seconds / factor)) >= usual
    assert needed(replace(question, headroom=1 - (1 - question.headroom) / factor)) >= usual


@settings(max_examples=300, deadline=None)
@given(measured(), asked)
def test_the_bound_never_takes_fewer_machines_than_the_median_and_the_work_is_done_in_time(each, question):
    offer = only(capacity([each], question, PRICES))
    assert as_number(offer.machines) >= as_number(offer.machines_by_median)
    if offer.machines is None:
        assert offer.cautions or offer.batch.seconds.high is None
        return
    assert offer.machines >= (offer.machines_by_median or 0) >= (offer.machines_at_best or 0) >= 1
    high = offer.batch.seconds.high
    batches_of_one = math.ceil(math.ceil(question.rows / offer.batch.rows) / offer.machines)
    assert offer.batch.setup_seconds + batches_of_one * high <= question.usable_seconds * (1 + 1e-9)
    assert offer.per_month is not None
    assert offer.per_month.low <= offer.per_month.median <= offer.per_month.high
    assert as_number(offer.machines_at_horizon) >= offer.machines
    if offer.outgrown_after is not None and offer.outgrown_after > 1:
        earlier = replace(question, rows=question.rows_after(offer.outgrown_after - 1), headroom=0.0, growth=None)
        assert (
            as_number(only(capacity([replace(each, batches=(offer.batch,))], earlier, None)).machines) <= offer.machines
        )


def gpu(seconds=(1.0, 0.9, 1.1)):
    return throughput("native-cuda", batch(seconds=seconds), device="cuda")


def test_the_cheapest_is_named_and_what_cannot_be_told_from_it():
    by_cost = capacity([gpu(), throughput()], HOUR, PRICES)  # 1 + 1 machines at 10, or 5 + 1 at 2
    assert [offer.variant for offer in by_cost.offers] == ["native", "native-cuda"]
    assert [offer.variant for offer in by_cost.best] == ["native"]
    assert "Cheapest that meets the deadline: native on Some CPU 9000, 8 cores: 6 machines" in answers(by_cost)[0]
    by_count = capacity([gpu(), throughput()], HOUR, None)
    assert [offer.variant for offer in by_count.best] == ["native-cuda"]
    near = throughput("other", batch(seconds=(10.5, 9.5, 13.0)))
    assert [offer.variant for offer in capacity([near, throughput()], HOUR, PRICES).best] == ["native", "other"]
    assert "cannot be told from: other on" in answers(capacity([near, throughput()], HOUR, PRICES))[0]


def test_what_has_no_interval_has_machines_by_its_median_alone_and_is_never_the_best():
    guess = throughput("guess", batch(seconds=(0.1, None, None)))
    plan = capacity([guess, throughput()], HOUR, PRICES)
    unsure = plan.offers[-1]
    assert (unsure.variant, unsure.machines, unsure.machines_by_median) == ("guess", None, 1)
    assert [offer.variant for offer in plan.best] == ["native"]
    assert "guess" in plan.next[0].why and plan.next[0].command.endswith("--rounds 20 --budget 60")
    assert capacity([guess], HOUR, None).best == ()


def test_a_deadline_that_no_batch_meets_is_told():
    plan = capacity([throughput()], replace(HOUR, deadline_seconds=45.0), PRICES)
    assert (only(plan).machines, only(plan).per_month, plan.best) == (None, None, ())
    assert "takes longer than the deadline" in only(plan).cautions[0]
    maybe = capacity([throughput()], replace(HOUR, deadline_seconds=52.0), PRICES)  # 41.6 s: 30 and 10, not 30 and 12
    assert (only(maybe).machines, only(maybe).machines_by_median) == (None, 1000)
    assert "may take longer than the deadline" in only(maybe).cautions[0]


def test_break_even_by_hand():
    """By the log-normal: the deviation of a quotient's logarithm is the root of the sum of squares."""
    found = quotient(
        Interval(100.0, 100 * math.exp(-0.196), 100 * math.exp(0.196)),
        Interval(10.0, 10 * math.exp(-0.098), 10 * math.exp(0.098)),
    )
    half = 1.96 * math.sqrt(0.1**2 + 0.05**2)
    assert found == Interval(pytest.approx(10), pytest.approx(10 * math.exp(-half)), pytest.approx(10 * math.exp(half)))
    (each,) = capacity([gpu(), throughput()], HOUR, PRICES).break_even
    assert (each.gpu_variant, each.cpu_variant, each.speed_up.median) == ("native-cuda", "native", pytest.approx(10))
    assert each.price.median == pytest.approx(20) and each.price.low == pytest.approx(2 * each.speed_up.low)
    assert each.pays is True, "10 an hour, and worth 16 at least"
    (slower,) = capacity([gpu((4.0, 3.9, 4.1)), throughput()], HOUR, PRICES).break_even
    assert slower.pays is False, "10 an hour, and worth 6 at most"
    (between,) = capacity([gpu((2.0, 1.9, 2.1)), throughput()], HOUR, PRICES).break_even
    assert between.pays is None


@settings(max_examples=200, deadline=None)
@given(*(st.floats(1, 1e6) for _ in range(2)), *(st.floats(1.001, 3) for _ in range(4)), st.floats(1.001, 10))
def test_break_even_rises_with_the_gpu_falls_with_the_cpu_and_holds_the_middle(
    above, below, down, up, other_down, other_up, faster
):
    def around(middle):
        return Interval(middle, middle / down, middle * up)

    cpu = Interval(below, below / other_down, below * other_up)
    usual = quotient(around(above), cpu)
    more = quotient(around(above * faster), cpu)
    less = quotient(around(above), Interval(*(faster * bound for bound in (cpu.median, cpu.low, cpu.high))))
    assert usual.low <= usual.median <= usual.high
    assert more.low > usual.low and more.high > usual.high
    assert less.low < usual.low and less.high < usual.high
    assert above / down / (below * other_up) <= usual.low * (1 + 1e-9), "never wider than both at their worst"


def test_a_gpu_against_an_unpriced_cpu_is_told_as_a_multiple():
    plan = capacity([gpu(), throughput()], HOUR, None)
    assert plan.break_even[0].price is None
    (told,) = [text for text in answers(plan) if text.startswith("native-cuda")]
    assert "the price of a CPU hour" in told
    assert capacity([gpu()], HOUR, PRICES).break_even == ()


def test_memory_beyond_the_machine_and_small_batches_are_cautioned():
    peak = Interval(20 * 2**30, 15 * 2**30, 40 * 2**30)
    offer = only(capacity([throughput("native", batch(peak=peak))], HOUR, None))
    assert any("40.0 GiB, of the 32 GiB" in caution for caution in offer.cautions)
    assert any("more than 100 batches of 1,000,000 rows" in caution for caution in offer.cautions)
    few = only(capacity([throughput()], replace(HOUR, rows=10**7), None))
    assert few.cautions == ()


# From rows


def planned(rows, question=HOUR, prices=None, variants=(), **others):
    return plan_of(rows, question, prices, list(variants), **others)


def test_only_rows_that_are_ok_enter():
    good = row()
    rest = [row(status=status, seconds=(0.001,) * 6) for status in Status if status is not Status.OK]
    assert planned([*rest, good]) == planned([good])
    assert planned(rest).offers == ()
    offer = only(planned([good]))
    assert offer.batch.seconds == median_interval(SIX)
    assert (offer.batch.rows, offer.batch.setup_seconds) == (1000, 2.0)


def test_fetching_is_in_the_rate_and_copies_that_were_not_counted_are_told():
    offer = only(planned([row("native-cuda", fetch_seconds=0.5, device="cuda", host=GPU)]))
    assert offer.batch.seconds.median == pytest.approx(median_interval(SIX).median + 0.5)
    assert any("copies to the device were not counted" in caution for caution in offer.cautions)
    counted = only(planned([row("native-cuda", device="cuda", host=GPU, transferred_bytes={"to device": 5})]))
    assert not any("copies" in caution for caution in counted.cautions)


def test_a_variant_without_a_figure_is_told_with_its_reason_and_command():
    rows = [
        row(),
        row("naive", status=Status.EXTRAPOLATED, seconds=None, reason="too slow"),
        row("native-cuda", status=Status.UNAVAILABLE, seconds=None, device="cuda", reason="no CUDA driver"),
    ]
    variants = [variant("native"), variant("naive"), variant("native-cuda", "cuda"), variant("dask")]
    plan = planned(rows, variants=[*variants, variant("other", stage="shap")])
    told = {each.variant: each for each in plan.not_measured}
    assert told.keys() == {"naive", "native-cuda", "dask"}
    assert told["naive"].reason == "extrapolated: too slow"
    assert told["native-cuda"].reason == "unavailable: no CUDA driver"
    assert told["native-cuda"].command.endswith("--variant native-cuda --dataset seed --require cuda")
    assert told["dask"].reason == "no row of it among the results"
    assert plan.next[-1].command == told["native-cuda"].command
    assert planned(rows, variants=variants, scalable=["seed"]).next[-1].command.endswith("--points 2000,4000,8000")


def test_one_work_is_planned_for_and_the_others_are_named():
    late = {"started": "2026-02-01T00:00:00+00:00", "parameters": {"trees": 100}}
    rows = [row("native", 500), row("native", 1000, **late), row("naive", 1000), row("native", 100, dataset="other")]
    plan = planned(rows)
    assert (plan.dataset, plan.parameters) == ("seed", {"trees": 100}), "the largest batch, and of equals the newest"
    assert [offer.variant for offer in plan.offers] == ["native"]
    assert set(plan.left_out) == {"seed (trees 500)", "other (trees 500)"}
    assert planned(rows, dataset="other").dataset == "other"
    assert planned(rows, dataset="nonsense").offers == ()


def test_of_threads_the_number_that_needs_the_fewest_machines_counts():
    rows = [row(threads=threads, seconds=[each / threads for each in SIX]) for threads in (1, 4, 2)]
    assert only(planned(rows)).threads == 4


def test_power_becomes_energy_per_row():
    seen = watched(gpu_mean_watts=300.0, cpu_mean_watts=100.0)
    plan = planned([row("native-cuda", device="cuda", host=GPU, monitored=seen)])
    assert only(plan).batch.watts == {"cpu": 100.0, "gpu": 300.0}
    rates = tables(plan)[1]
    (cell,) = [
        cell
        for cell in rates.rows[0]
        if "GPU" in cell.text and "CPU" in cell.text and "kJ" not in cell.text and cell.value
    ]
    assert cell.value == pytest.approx(400 * 1.0 * 1000 / 1000), "400 W for a second do 1,000 rows"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rows": 0}, "--rows 0"),
        ({"rows": -5}, "--rows -5"),
        ({"deadline_seconds": 0.0}, "--deadline: must be above 0"),
        ({"deadline_seconds": math.nan}, "--deadline"),
        ({"deadline_seconds": math.inf}, "--deadline"),
        ({"headroom": 1.0}, "--headroom 100%: must be 0% or more and below 100%"),
        ({"headroom": -0.1}, "--headroom -10%"),
        ({"spares": -1}, "--availability -1"),
        ({"growth": -0.1}, "--growth -10%/month"),
        ({"growth": 11.0}, "--growth 1100%/month"),
        ({"horizon": 0}, "--horizon 0"),
        ({"horizon": 121}, "--horizon 121"),
    ],
)
def test_what_cannot_be_planned_for_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        replace(HOUR, **wrong)


def test_the_largest_numbers_do_not_overflow():
    plan = capacity([throughput()], replace(HOUR, rows=10**18, growth=10.0, horizon=120), PRICES)
    assert only(plan).machines_at_horizon > 10**100
    assert len(section(plan).blocks) > 3


def test_the_section_is_consistent_with_the_plan():
    growing = replace(HOUR, growth=0.1, horizon=12)
    plan = capacity([gpu(), throughput(), throughput("guess", batch(seconds=(1.0, None, None)))], growing, PRICES)
    found = {table.name: table for table in tables(plan)}
    assert list(found) == ["plan-machines", "plan-one-machine", "plan-costs", "plan-growth", "plan-break-even"]
    for table in found.values():
        assert table.rows
        assert {len(cells) for cells in table.rows} == {len(table.columns)}
        marks = {int(mark) for cells in table.rows for cell in cells for mark in _marks(cell.text)}
        assert marks == set(range(1, len(table.notes) + 1))
    machines = {cells[0].text: cells[4].text for cells in found["plan-machines"].rows}
    assert machines == {"native": "5", "native-cuda": "1", "guess": "not known"}
    months = {cells[0].text: cells[7].value for cells in found["plan-costs"].rows}
    assert months["native"] == pytest.approx(6 * 2 * 730.5)
    assert CPU["cpu"] in found["plan-machines"].rows[0][2].text


def _marks(text):
    return [part.rstrip("]") for part in text.split("[")[1:]]
