"""Prices: a user's file becomes prices, or one sentence that says where it is wrong; machines find theirs."""

import re
from datetime import date
from pathlib import Path

import pytest
from technobench.bench.plan.prices import prices_of
from technobench.pipeline.errors import InputError

from .plan_rows import CPU, GPU

MACHINE = 'name = "a"\ndevice = "cpu"\ncpu = "some cpu"\nper_hour = 2\ndate = 2026-11-01\nsource = "a list"\n'
GOOD = f'currency = "EUR"\n[[machine]]\n{MACHINE}'
EXAMPLE = Path(__file__).resolve().parent.parent / "docs" / "prices.example.toml"


def read(text):
    return prices_of(text, "p.toml")


def test_a_price_has_what_the_file_tells():
    prices = read(GOOD)
    (machine,) = prices.machines
    assert (prices.currency, machine.name, machine.per_hour, machine.date) == ("EUR", "a", 2.0, date(2026, 11, 1))
    assert (machine.source, machine.cpu, machine.cores, machine.gpu) == ("a list", "some cpu", None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "currency must be text in quotes"),
        ("currency = ", "no TOML"),
        ("a = " + "[" * 100_000, "no TOML"),
        ('currency = "EUR"', r"has no \[\[machine\]\]"),
        ('currency = "EUR"\nmachine = []', r"has no \[\[machine\]\]"),
        ('currency = "EUR"\nmachine = [1]', r"has no \[\[machine\]\]"),
        ('currency = "EUR"\nmachine = {a = 1}', r"has no \[\[machine\]\]"),
        ('currency = ""\n[[machine]]\n' + MACHINE, "currency must be text"),
        ('currency = "\\u001b[31m"\n[[machine]]\n' + MACHINE, "currency must be text"),
        ("currency = 1\n[[machine]]\n" + MACHINE, "currency must be text"),
        ("colour = 1\n" + GOOD, "no key 'colour'; there are: currency, machine"),
        (GOOD + "per_month = 1\n", r"\[\[machine\]\] 1: no key 'per_month'; there are: cores, cpu, date"),
        (GOOD.replace('source = "a list"\n', ""), r"\[\[machine\]\] 1: has no source"),
        (GOOD.replace("date = 2026-11-01\n", ""), "has no date"),
        (GOOD.replace("2026-11-01", '"2026-11-01"'), "date must be a date, as 2026-01-31"),
        (GOOD.replace("2026-11-01", "2026-11-01T10:00:00"), "date must be a date"),
        (GOOD.replace('"a list"', '" "'), "source must be text in quotes, in one line and not empty"),
        (GOOD.replace('"a list"', '"a\\nlist"'), "source must be text in quotes, in one line"),
        (GOOD.replace("= 2\n", "= 0.0\n"), "per_hour is 0; write what an hour costs you, above 0"),
        (GOOD.replace("= 2\n", "= -1\n"), "per_hour is -1"),
        (GOOD.replace("= 2\n", "= nan\n"), "per_hour is nan"),
        (GOOD.replace("= 2\n", "= inf\n"), "per_hour is inf"),
        (GOOD.replace("= 2\n", "= 1" + 400 * "0" + "\n"), "per_hour is inf"),
        (GOOD.replace("= 2\n", "= true\n"), "per_hour must be a number"),
        (GOOD.replace("= 2\n", '= "2"\n'), "per_hour must be a number"),
        (GOOD.replace('cpu = "some cpu"\n', ""), "says of no machine which it is; give cpu, cores or gpu"),
        (GOOD.replace('"cpu"\ncpu', '"tpu"\ncpu'), "device is 'tpu'; it is one of cpu, cuda"),
        (GOOD + "cores = true\n", "cores must be a whole number"),
        (GOOD + "cores = 2.0\n", "cores must be a whole number"),
        (GOOD + 'gpu = "H100"\n', 'gpu is for device = "cuda"'),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_it(text, said):
    with pytest.raises(InputError, match=said) as caught:
        read(text)
    assert str(caught.value).startswith("p.toml")
    assert "\n" not in str(caught.value)


def test_a_machine_finds_its_price_by_parts_of_names_in_any_case_and_by_cores():
    text = GOOD + "cores = 8\n" + "[[machine]]\n" + MACHINE.replace('"a"', '"b"') + "cores = 16\n"
    text += "[[machine]]\n" + MACHINE.replace('"a"', '"c"').replace('device = "cpu"', 'device = "cuda"\ngpu = "gpu 80"')
    prices = read(text)
    assert prices.of(CPU, "cpu").name == "a"
    assert prices.of(GPU, "cpu").name == "b", "the CPU of a machine with a GPU has a price of its own"
    assert prices.of(GPU, "cuda").name == "c"


def test_no_price_and_several_prices_are_told_with_what_would_mend_it():
    told = re.escape('add one with device = "cuda", cpu = "Some CPU 9000", cores = 16, gpu = "Some GPU 80GB"')
    with pytest.raises(InputError, match=told):
        read(GOOD).of(GPU, "cuda")
    twice = read(GOOD + "[[machine]]\n" + MACHINE.replace('"a"', '"b"'))
    with pytest.raises(InputError, match="'a' and 'b' all fit Some CPU 9000, 8 cores"):
        twice.of(CPU, "cpu")


def test_a_gpu_that_a_row_does_not_tell_has_no_price_by_its_name():
    text = GOOD.replace('device = "cpu"', 'device = "cuda"\ngpu = "H100"')
    with pytest.raises(InputError, match=r"no \[\[machine\]\] fits"):
        read(text).of(CPU, "cuda")


def test_the_example_is_refused_until_it_is_edited_and_is_then_right():
    text = EXAMPLE.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="per_hour is 0"):
        read(text)
    edited = read(text.replace("per_hour = 0.00", "per_hour = 1.25"))
    assert [machine.device for machine in edited.machines] == ["cpu", "cuda"]
