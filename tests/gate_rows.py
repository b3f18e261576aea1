"""Launches written by hand: what each arm's samples come to, or how the arm ended."""

from technobench.bench.launch_row import AGAIN, BASE, HEAD, ArmSample, LaunchRow
from technobench.pipeline.row import Status

SECONDS = 0.2
MEGABYTES = 100


def arm(slower=1.0, wall=None, bigger=1.0, instructions=None, pairs=5, **fields):
    """A sample whose CPU time, wall time and peak are the usual ones times these; ``fields`` replaces what it has."""
    usual = {
        "revision": "0" * 40,
        "status": Status.OK,
        "cpu_seconds": [SECONDS * slower] * pairs,
        "seconds": [SECONDS * (slower if wall is None else wall)] * pairs,
        "instructions": instructions,
        "peak_bytes": int(MEGABYTES * 1e6 * bigger),
        "error": 1e-7,
        "tolerance": 1e-5,
        "problem_digest": "the problem",
    }
    return ArmSample(**{**usual, **fields})


def launch(number=0, variant="native", head=None, base=None, again=None, **fields):
    """A launch; arms that are not given took the usual time."""
    usual = {
        "gate_id": "gate-by-hand",
        "stage": "predict",
        "variant": variant,
        "device": "cpu",
        "dataset": "whotracksme",
        "scale": 1.0,
        "threads": 2,
        "parameters": {"trees": 8},
        "launch": number,
        "repeats": 1,
        "arms": {BASE: base or arm(), HEAD: head or arm(), AGAIN: again or arm()},
        "host": {},
        "alerts": [],
        "started": "2026-11-22T12:00:00+00:00",
        "command": "technobench gate --base main --stage predict",
    }
    return LaunchRow(**{**usual, **fields})


def launches(heads, variant="native", **fields):
    """A launch for each sample of the head."""
    return [launch(number, variant, head, **fields) for number, head in enumerate(heads)]
