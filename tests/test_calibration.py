"""What 'technobench aa' finds out about a machine, where it is kept, and what the gate makes of it."""

import json

import pytest
from technobench.bench import calibration, host
from technobench.bench.calibration import Calibration, CaseCalibration
from technobench.bench.gate.judgement import Limits, judge

from .gate_rows import arm, launches

HOST = {"cpu": "A CPU/of ours", "cores": 2, "memory_gib": 8.0}
NAME = "predict/native whotracksme@1"


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("TECHNOBENCH_HOME", str(tmp_path / "home"))


def made(visible, name=NAME):
    found = CaseCalibration(comparisons=20, alarms=0, differences=1, noise=0.01, visible=visible)
    return Calibration(HOST, "2026-11-22T12:00:00+00:00", "technobench aa", {name: found})


def verdicts():
    return judge(launches([arm()] * 9), Limits(), last=True)


def test_the_gate_tells_where_it_cannot_see_what_it_is_to_find():
    assert list(calibration.told(verdicts(), HOST)) == [
        "this machine is not calibrated: 'technobench aa' tells what it can see"
    ]
    calibration.keep(made(0.05))
    (line,) = calibration.told(verdicts(), HOST)
    assert line.startswith(f"{NAME}: by 20 comparisons with itself this machine sees slow-downs from 5 % on")
    calibration.keep(made(0.02))
    assert list(calibration.told(verdicts(), HOST)) == []
    calibration.keep(made(None))
    assert list(calibration.told(verdicts(), HOST)) == []


def test_a_calibration_keeps_other_cases_and_is_of_one_class_of_machine():
    calibration.keep(made(0.05, "another"))
    kept = calibration.keep(made(0.01))
    assert set(calibration.read(HOST).cases) == {"another", NAME}
    assert kept.parent.is_dir() and "/" not in kept.name
    assert calibration.read({**HOST, "cores": 4}) is None


@pytest.mark.parametrize("garbage", [b"", b"{", b"\xff\xfe\x00", b'{"host": 3}', b"[]", b'{"cases": {"a": "\xff"}}'])
def test_a_calibration_that_cannot_be_read_is_none(garbage):
    path = calibration.keep(made(0.05))
    path.write_bytes(garbage)
    assert calibration.read(HOST) is None
    assert "not calibrated" in next(calibration.told(verdicts(), HOST))
    calibration.keep(made(0.05))
    assert set(calibration.read(HOST).cases) == {NAME}


def test_a_machine_is_compared_with_itself(technobench, tmp_path):
    limits = ("--alpha", "90%", "--max-slowdown", "100%", "--max-pairs", "15", "--comparisons", "1")
    done = technobench("aa", "--stage", "matrix_build", "--variant", "batched-sparse", "--threads", "1", *limits)
    assert done.code == 0, done.err
    name = "matrix_build/batched-sparse whotracksme@1"
    assert name in done.out
    found = calibration.read(host.fingerprint()).cases[name]
    assert (found.comparisons, found.alarms, found.visible) == (1, 0, None)
    assert 0 <= found.noise < 1
    (file,) = (tmp_path / "results").glob("aa-*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == 3
    assert all(set(row["arms"]) == {"base", "head"} and row["arms"]["head"]["status"] == "ok" for row in rows)
