"""Verdicts as text: what other programs read back, hostile names and reasons, and commands that can be typed again."""

import io
import json
import shlex
import xml.etree.ElementTree as ElementTree

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console
from technobench.bench.commands.amounts import Duration, Share, Size
from technobench.bench.commands.gate import _tell, gate
from technobench.bench.commands.repeat import repeating
from technobench.bench.gate.judgement import Limits, judge, without_time
from technobench.bench.gate.text import HEADINGS, as_json, change, junit, markdown, one_line, share, table
from technobench.pipeline.row import Status

from .gate_rows import arm, launch, launches

HOSTILE = (
    "<script>alert(1)</script> | `code` ![seen](http://example.org/x) @team **b** &amp; \x1b[2J\a\r\nline\n```\n# h"
)
FAILED = arm(status=Status.FAILED, reason=HOSTILE)


def verdicts_of_each_kind():
    rows = [
        *launches([arm()] * 9, "fine"),
        *launches([arm(1.5)] * 20, "slow"),
        *launches([arm(wall=1.5)] * 20, "waits"),
        *launches([arm()] * 3, "few"),
        launch(0, "wrong", head=arm(status=Status.MISMATCH, reason="off by 0.5")),
        launch(0, "absent", base=arm(status=Status.UNAVAILABLE, reason="no such variant")),
    ]
    return [*judge(rows, Limits(), last=True), without_time(launch(0, "late").key, "predict/late whotracksme@1")]


def repeat(verdict):
    return shlex.join(["technobench", "gate", "--variant", verdict.key[1]])


def test_junit_counts_what_it_holds():
    suite = ElementTree.fromstring(junit(verdicts_of_each_kind(), repeat))
    found = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert found == {
        "predict/fine whotracksme@1": [],
        "predict/slow whotracksme@1": ["failure"],
        "predict/waits whotracksme@1": ["failure"],
        "predict/few whotracksme@1": ["skipped"],
        "predict/wrong whotracksme@1": ["error"],
        "predict/absent whotracksme@1": ["skipped"],
        "predict/late whotracksme@1": ["skipped"],
    }
    for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(attribute)) == len(list(suite.iter(tag)))
    messages = {case.get("name").split()[0]: case[0].get("message") for case in suite.iter("testcase") if len(case)}
    assert messages["predict/slow"] == "CPU time +50.00 %, wall time +50.00 %"
    assert messages["predict/waits"] == "wall time +50.00 %"
    assert messages["predict/wrong"] == "head: mismatch: off by 0.5"
    assert next(suite.iter("failure")).text == "repeat: technobench gate --variant slow"


def test_junit_is_utf8_and_says_so():
    first, _, rest = junit(verdicts_of_each_kind(), repeat).partition("\n")
    assert first == "<?xml version='1.0' encoding='utf-8'?>"
    assert rest.startswith("<testsuite ")


@given(st.text(st.characters(codec=None), max_size=20))
def test_junit_can_be_read_whatever_a_reason_holds(reason):
    text = junit(judge([launch(head=arm(status=Status.FAILED, reason=reason))], Limits(), last=True), lambda _: reason)
    (error,) = ElementTree.fromstring(text.encode()).iter("error")
    if reason.isprintable():
        assert error.get("message") == f"head: failed: {reason}"


def rendered(text):
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)


def flat(tokens):
    for token in tokens:
        yield token
        yield from flat(token.children or ())


def test_markdown_has_a_table_with_a_line_for_each_measure():
    verdicts = verdicts_of_each_kind()
    tokens = list(flat(rendered(markdown(verdicts, "abc against def", repeat))))
    cells = [token for token in tokens if token.type in ("th_open", "td_open")]
    lines = 1 + sum(max(1, len(verdict.measures)) for verdict in verdicts)
    assert len([token for token in tokens if token.type == "tr_open"]) == lines
    assert len(cells) == lines * len(HEADINGS)
    blocks = [token.content.strip() for token in tokens if token.type == "fence"]
    assert blocks == [repeat(verdict) for verdict in verdicts if verdict.decision != "pass"]
    assert "technobench gate: ⛔ invalid" in next(token.content for token in tokens if token.type == "inline")


def test_in_markdown_a_hostile_name_or_reason_is_code_and_nothing_else():
    rows = [launch(0, HOSTILE, head=FAILED), *launches([arm(2.0)] * 20, HOSTILE + "2")]
    verdicts = judge(rows, Limits(), last=True)
    text = markdown(verdicts, HOSTILE, lambda verdict: f"technobench gate --lock '{HOSTILE}'")
    tokens = list(flat(rendered(text)))
    of_ours = {"heading", "paragraph", "inline", "text", "code_inline", "table", "thead", "tbody", "tr", "th", "td"}
    found = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert found - of_ours == {"fence"}
    assert len([token for token in tokens if token.type == "heading_open"]) == 1
    assert {token.tag for token in tokens if token.type == "heading_open"} == {"h3"}
    assert not any("alert" in token.content or "@team" in token.content for token in tokens if token.type == "text")
    assert len([token for token in tokens if token.type == "td_open"]) % len(HEADINGS) == 0
    fences = [token.content for token in tokens if token.type == "fence"]
    assert len(fences) == 2 and all(HOSTILE.replace("\r\n", "\n") in content for content in fences)
    outside = text.replace(HOSTILE, "")
    assert "\x1b" not in outside and "\a" not in outside


@given(st.text(st.characters(codec=None), max_size=30))
def test_a_line_of_a_terminal_stays_one(text):
    told = one_line(text)
    told.encode()  # a lone surrogate would raise
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in told)
    assert len(told.splitlines()) <= 1


def printed(verdicts):
    to = io.StringIO()
    Console(file=to, width=200, force_terminal=True, color_system=None).print(table(verdicts))
    return to.getvalue()


def test_the_table_shows_markup_as_text_and_no_control_characters():
    rows = [launch(0, HOSTILE, head=FAILED), *launches([arm()] * 9, "[red]plain[/red]")]
    told = printed(judge(rows, Limits(), last=True))
    assert "<script>alert(1)</script> | `code`" in told
    assert "[red]plain[/red]" in told
    assert "\x1b" not in told and "\a" not in told and "\r" not in told


def test_the_table_has_a_line_for_each_measure_and_the_verdict_once():
    told = printed(verdicts_of_each_kind())
    assert told.count("CPU time") == 4
    assert told.count("regression") == 4  # of both cases, and of the wall time that comes after the case's own line
    assert all(heading in told for heading in HEADINGS)


def test_json_holds_the_verdicts_and_the_exit_code():
    verdicts = verdicts_of_each_kind()
    found = json.loads(as_json(verdicts, {"gate": "gate-1", "alerts": []}))
    assert (found["verdict"], found["exit_code"], found["gate"]) == ("invalid", 4, "gate-1")
    assert [case["decision"] for case in found["cases"]] == [verdict.decision.value for verdict in verdicts]
    slow = found["cases"][1]
    assert slow["name"] == "predict/slow whotracksme@1"
    assert slow["measures"][0]["ratio"] == pytest.approx(1.5)
    assert json.loads(as_json(verdicts[:1], {}))["exit_code"] == 0
    assert json.loads(as_json([], {}))["exit_code"] == 4


def test_changes_and_shares_are_per_cent():
    assert (change(1.035), change(0.5), change(None)) == ("+3.50 %", "-50.00 %", "-")
    assert (share(0.0123), share(None)) == ("1.2 %", "-")


@pytest.mark.parametrize("kind", [Share(), Duration(), Size()])
@given(value=st.integers(1, 10**6))
def test_an_amount_is_written_as_it_is_read(kind, value):
    amount = value if isinstance(kind, Size) else value / 10_000
    assert kind.convert(kind.written(amount), None, None) == pytest.approx(amount, rel=1e-12)


ASKED = "--base main --max-slowdown 2.5% --alpha 5% --max-pairs 30 --threads 1 --this-environment --timeout 60"


def parsed(words):
    context = gate.make_context("gate", list(words))
    return context, context.params


def test_a_gate_s_own_command_says_the_same_again():
    """It is what a resumed gate takes its options from."""
    context, given_ = parsed(
        [*shlex.split(ASKED), "--budget", "1.5h", "-k", "predict and not 'x y'", "--scale", "0.123456789"]
    )
    command = repeating(context, "gate", ())
    again = parsed(shlex.split(command)[2:])[1]
    assert again == given_
    assert again["max_slowdown"] == 0.025


def test_the_command_that_repeats_a_case_is_understood_and_chooses_that_case(capsys):
    """For every case that did not pass, with the gate's limits, and the parameters that are not as usual."""
    context, _ = parsed([*shlex.split(ASKED), "--stage", "predict"])
    about = {"base": "1" * 40, "head": "2" * 40, "command": repeating(context, "gate", ())}
    files = dict.fromkeys(("markdown_file", "junit_file", "json_file"))
    parameters = {"trees": 8, "depth": 6, "learning_rate": 0.05}
    rows = launches([arm(2.0)] * 20, "xgboost", parameters=parameters, scale=0.123456789)
    _tell(judge(rows, Limits(), last=True), about, files)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "repeat: " in line]
    options = parsed(shlex.split(line.partition("repeat: ")[2])[2:])[1]
    chosen = {name: options[name] for name in ("base", "head", "stages", "variants", "datasets", "scales", "threads")}
    assert chosen == {
        "base": "1" * 40,
        "head": "2" * 40,
        "stages": ("predict",),
        "variants": ("xgboost",),
        "datasets": ("whotracksme",),
        "scales": (0.123456789,),
        "threads": 2,
    }
    assert options["given"] == ("trees=8",)
    assert (options["max_slowdown"], options["alpha"], options["max_pairs"], options["timeout"]) == (
        0.025,
        0.05,
        30,
        60,
    )
    assert options["this_environment"] is True
    assert options["budget"] == 600


@pytest.mark.parametrize("asked", ["--max-slowdown 3", "--alpha lots", "--budget 3x", "--max-memory-growth -3%"])
def test_an_amount_without_its_unit_is_refused(asked):
    with pytest.raises(click.UsageError, match="write it as"):
        parsed(["--base", "main", *asked.split()])
