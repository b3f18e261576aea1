"""Histories: rows become paired ratios by commit, in git's order; their lines and picture tell what is in them."""

import math
import re
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest
from technobench.bench import store
from technobench.bench.history import full_names, history
from technobench.bench.history_picture import picture
from technobench.bench.history_table import markdown, sparkline
from technobench.bench.report.svg import ticks
from technobench.pipeline.row import Row, Status

COMMITS = [f"{place:02d}" + "abcdef0123" * 3 + "abcdef01" for place in range(30)]
HOST = {"cpu": 'Fast <&> "Cheap"', "cores": 2}


def row(variant="native", commit=COMMITS[0], seconds=(1.0,) * 6, **others) -> Row:
    given = {
        "stage": "predict",
        "variant": variant,
        "device": "cpu",
        "status": Status.OK,
        "seconds": seconds if seconds is None else list(seconds),
        "warmup_seconds": 1.0,
        "dataset": "seed",
        "scale": 1.0,
        "threads": 2,
        "parameters": {"trees": 500},
        "problem_digest": "0123456789abcdef",
        "alerts": [],
        "versions": {"python": "3.13.1"},
        "host": HOST,
        "commit": commit,
        "dirty": False,
        "run_id": f"run-{commit}",
        "session": f"session-{commit}",
        "started": "2026-01-01T00:00:00+00:00",
        "command": "technobench run",
        "tolerance": 0.0,
        "error_measure": "none",
        "sizes": {},
        "thread_settings": {},
    } | others
    unmeasured = {name: None for name in Row.__struct_fields__ if name not in given}
    unmeasured = {name: value for name, value in unmeasured.items() if name != "interrupted"}
    return Row(**unmeasured, **given)


def both(seconds, over, **others) -> list[Row]:
    """A case and its anchor in one session."""
    return [row(seconds=seconds, **others), row("batched-sparse", seconds=over, **others)]


def found_in(rows, ancestry=COMMITS, anchor="batched-sparse"):
    return history(rows, ancestry, anchor)


def test_a_point_is_the_median_of_the_ratios_round_by_round_and_runs_of_a_commit_are_pooled():
    first = both([1.0, 2.0, 4.0], [3.0, 8.0, 4.0])
    again = both([1.0, 1.0], [5.0, 7.0], session="another", run_id="another")
    (series,) = found_in([*first, *again]).series
    (point,) = series.points
    assert (point.commit, point.ratio.median, point.rounds) == (COMMITS[0], 4.0, 5)  # of 3, 4, 1, 5 and 7
    assert 1.0 <= point.ratio.low <= 4.0 <= point.ratio.high <= 7.0


def test_load_that_both_share_is_no_step_though_times_alone_would_show_one():
    random = np.random.default_rng(0)
    rows = []
    for place, commit in enumerate(COMMITS):
        load = (3.0 if place >= 15 else 1.0) * np.exp(0.02 * random.standard_normal(10))
        rows += both(list(load), list(5 * load * np.exp(0.01 * random.standard_normal(10))), commit=commit)
    (series,) = found_in(rows).series
    assert series.changes == ()
    assert len(series.points) == 30


def slowed(place, factor, **others) -> list[Row]:
    random = np.random.default_rng(1)
    rows = []
    for number, commit in enumerate(COMMITS):
        noise = np.exp(0.01 * random.standard_normal((2, 10)))
        slower = factor if number >= place else 1.0
        rows += both(list(slower * noise[0]), list(5 * noise[1]), commit=commit, **others)
    return rows


def test_a_planted_slow_down_is_told_with_its_commit_and_size():
    rows = slowed(20, 1.25)
    (series,) = found_in(np.random.default_rng(2).permutation(np.array(rows, object)).tolist()).series
    (change,) = series.changes
    assert (change.commit, change.last_before) == (COMMITS[20], COMMITS[19])
    assert change.slower == pytest.approx(0.25, abs=0.02)
    assert 0 < change.probability < 0.05
    assert found_in(slowed(20, 0.5)).series[0].changes[0].slower == pytest.approx(-0.5, abs=0.02)


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"commit": None}, "measured outside of a git checkout"),
        ({"dirty": True}, "measured with files changed since the commit"),
        ({"session": "later"}, "not measured in turn with batched-sparse"),
        ({"warmup_seconds": None}, "not measured in turn with batched-sparse"),
        ({"problem_digest": "other"}, "not measured in turn with batched-sparse"),
        ({"threads": 1}, "not measured in turn with batched-sparse"),
    ],
)
def test_what_cannot_be_compared_is_left_out_and_counted(others, reason):
    same = {name: value for name, value in others.items() if name in {"commit", "dirty"}}
    found = found_in([row(**others), row("batched-sparse", **same)])
    assert found.series == ()
    assert found.left_out == {reason: 1}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_only_right_answers_count_on_either_side(status):
    assert found_in([row(status=status), row("batched-sparse")]).series == ()
    assert found_in([row(), row("batched-sparse", status=status)]).series == ()


def test_classes_of_host_pythons_and_inputs_are_series_of_their_own_and_named_so():
    rows = both([1.0], [2.0])
    rows += both([1.0], [4.0], session="b", host=HOST | {"cores": 64})
    rows += both([1.0], [8.0], session="c", versions={"python": "3.11.9"})
    rows += both([1.0], [16.0], session="d", parameters={"trees": 8}, problem_digest="8888")
    found = found_in(rows)
    assert [each.points[0].ratio.median for each in found.series] == [2.0, 4.0, 8.0, 16.0]
    names = full_names(found.series)
    assert len(set(names)) == 4
    assert "cores 64" in names[1]
    assert "Python 3.11" in names[2]
    assert "trees=8" in names[3]
    other = both([1.0], [2.0], session="e", problem_digest="7777")
    assert full_names(found_in([*both([1.0], [2.0]), *other]).series)[1] == "predict/native seed@1 input 7777"


def test_commits_are_in_git_s_order_and_those_it_does_not_know_stand_before_by_time():
    times = {COMMITS[2]: "2026-01-01", COMMITS[1]: "2026-01-09", "lost": "2026-01-05", "older": "2026-01-02"}
    rows = [each for commit, day in times.items() for each in both([1.0], [2.0], commit=commit, started=day)]
    assert found_in(rows).commits == ("older", "lost", COMMITS[1], COMMITS[2])
    assert found_in(rows, ancestry=[]).commits == (COMMITS[2], "older", "lost", COMMITS[1])


def test_the_picture_is_whole_escaped_and_has_every_point_and_change():
    found = found_in([*slowed(20, 1.25), *slowed(30, 1.0, dataset="<script>alert('&')</script>")])
    text = picture(found)
    tree = ElementTree.fromstring(text)
    names = "{http://www.w3.org/2000/svg}"
    assert len(tree.findall(f".//{names}circle")) == 60
    assert len([line for line in tree.iter(f"{names}line") if "change" in line.get("class", "")]) == 1
    said = " ".join(node.text or "" for node in tree.iter(f"{names}text"))
    assert f"{COMMITS[20][:8]}: 2" in said
    assert "% slower" in said
    assert COMMITS[29][:8] in said
    assert "<script>alert" in said
    assert "<script" not in text
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"(href|src|url\(|@import)", text)
    circles = [float(circle.get("cy", "nan")) for circle in tree.findall(f".//{names}circle")]
    assert np.mean(circles[20:30]) > np.mean(circles[:20])  # slower is lower


@pytest.mark.parametrize(("low", "high"), [(4.9, 5.1), (0.0012, 0.0013), (1.0, 5.5), (0.5, 80.0), (150.0, 31_000.0)])
def test_ticks_lie_inside_and_are_two_at_least(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    assert all(low <= tick <= high or math.isclose(tick, low) or math.isclose(tick, high) for tick in found)


def test_a_sparkline_rises_with_the_ratios_and_is_short():
    assert sparkline([1.0, 2.0, 4.0]) == "▁▅█"
    assert len(sparkline(list(range(1, 500)))) == 40
    assert set(sparkline([1.0, 1.0001, 1.0])) <= {"▄", "▅"}
    assert sparkline([]) == ""


def test_markdown_keeps_its_columns_whatever_the_names():
    text = markdown(found_in(both([1.0], [2.0], dataset="a|b<c")))
    head, _, line = text.splitlines()[2:]
    assert len(re.findall(r"(?<!\\)\|", head)) == len(re.findall(r"(?<!\\)\|", line))
    assert "&lt;" in line


def git(folder, *arguments) -> str:
    somebody = ["-c", "user.name=somebody", "-c", "user.email=somebody"]
    command = ["git", *somebody, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_command_orders_by_git_leaves_out_other_branches_and_writes_all_forms(technobench, tmp_path):
    git(tmp_path, "init", "-b", "main")
    made = []
    for number in range(3):
        git(tmp_path, "commit", "--allow-empty", "-m", str(number))
        made.append(git(tmp_path, "rev-parse", "HEAD"))
    git(tmp_path, "checkout", "-b", "side", made[0])
    git(tmp_path, "commit", "--allow-empty", "-m", "side")
    side = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "checkout", "main")
    for position, commit in enumerate([made[2], made[0], side, made[1]]):
        store.add(tmp_path / "results", f"run-{position}", both([1.0] * 5, [2.0 + position] * 5, commit=commit))
    done = technobench("history", "-k", "native", "--json", "-", "--svg", "history.svg")
    assert done.code == 0, done.err
    (found,) = done.rows
    assert found["commits"] == made
    assert [point["ratio"]["median"] for point in found["series"][0]["points"]] == [3.0, 5.0, 2.0]
    assert "which HEAD does not come from: 1\n" in done.err
    assert made[2][:8] in (tmp_path / "history.svg").read_text()
    shown = technobench("history").out
    assert "predict/native seed@1" in shown
    assert "3x ±0.0 %" in shown
    assert technobench("history", "--markdown").out.startswith("**how many times as fast as batched-sparse")
    refused = technobench("history", "-k", "shap")
    assert refused.code == 2
    assert "technobench backfill" in refused.err
