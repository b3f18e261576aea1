"""Rows and throughputs for plans, written by hand."""

from technobench.bench.plan.throughput import Batch, Throughput
from technobench.bench.statistics import Interval
from technobench.pipeline.row import Monitored, Row, Status

CPU = {"cpu": "Some CPU 9000", "cores": 8, "memory_gib": 32.0}
GPU = {"cpu": "Some CPU 9000", "cores": 16, "memory_gib": 128.0, "gpu": "Some GPU 80GB"}
SIX = (1.0, 1.1, 0.9, 1.05, 0.95, 1.0)


def row(variant="native", rows=1000, seconds=SIX, status=Status.OK, **others) -> Row:
    """A row of the pipeline that was right; ``others`` replaces what it has."""
    given = {
        "stage": "pipeline",
        "variant": variant,
        "device": "cpu",
        "status": status,
        "seconds": None if seconds is None else list(seconds),
        "warmup_seconds": 1.0,
        "setup_seconds": 2.0,
        "fetch_seconds": 0.0,
        "peak_bytes": 2**30,
        "dataset": "seed",
        "scale": rows / 1000,
        "sizes": {"records": rows},
        "threads": 8,
        "parameters": {"trees": 500},
        "problem_digest": f"digest of {rows}",
        "alerts": [],
        "versions": {"python": "3.13.1"},
        "host": CPU,
        "run_id": "run",
        "session": "session",
        "started": "2026-01-01T00:00:00+00:00",
        "command": "technobench run --stage pipeline",
        "tolerance": 0.0,
        "error_measure": "none",
        "thread_settings": {},
    } | others
    return Row(**{name: None for name in Row.__struct_fields__ if name not in {*given, "interrupted"}}, **given)


def watched(**seen) -> Monitored:
    """What a monitor saw, of which ``seen`` matters."""
    usual = {"samples": 9, "peak_rss_bytes": 1, "mean_cpu_percent": 1.0, "read_bytes": 0, "written_bytes": 0}
    return Monitored(cost_share=0.0, **usual, **seen)


def batch(rows=1_000_000, seconds=(10.0, 9.0, 12.0), setup=30.0, peak=None, **others) -> Batch:
    """A batch; seconds are the median and its bounds, which may be None."""
    usual = {"basis": "by hand", "gpu_peak_bytes": None, "watts": {}, "cautions": ()}
    return Batch(rows=rows, seconds=Interval(*seconds), setup_seconds=setup, peak_bytes=peak, **(usual | others))


def throughput(variant="native", *batches: Batch, device="cpu", **others) -> Throughput:
    """One variant on a machine of its device."""
    usual = {
        "dataset": "seed",
        "parameters": {"trees": 500},
        "host": GPU if device == "cuda" else CPU,
        "versions": {},
        "threads": 8,
        "measured": "2026-01-01T00:00:00+00:00",
        "command": "technobench run --stage pipeline",
    }
    return Throughput(variant=variant, device=device, batches=batches or (batch(),), **(usual | others))
