"""``technobench doctor``: what this machine has, how noisy it is, and what would not run and why."""

import json
import statistics
import time

import click
import numpy as np
import psutil
from rich.table import Table

from ...pipeline import registry
from ...pipeline.home import home
from ...pipeline.needs import cuda_device_count
from .. import host
from ..gpu_doctor import gpu_findings
from ..table import wide_console

_NOISE_ROUNDS = 40


def noise() -> dict[str, float]:
    """How repeatable a fixed piece of work of some milliseconds is here, now.

    ``median_seconds`` of the work; ``spread_percent``: interquartile range relative to the median;
    ``worst_percent``: how much longer than the median the longest took; ``other_load_percent``: CPU used by all
    processes just before.
    """
    load = psutil.cpu_percent(interval=0.5)
    block = np.random.default_rng(0).random(1_000_000)
    taken = []
    for _ in range(_NOISE_ROUNDS):
        start = time.perf_counter()
        np.sort(block)
        taken.append(time.perf_counter() - start)
    first, median, third = statistics.quantiles(taken, n=4)
    return {
        "median_seconds": median,
        "spread_percent": 100 * (third - first) / median,
        "worst_percent": 100 * (max(taken) / median - 1),
        "other_load_percent": load,
    }


def _findings() -> dict:
    devices = cuda_device_count()
    has, lacks = gpu_findings()
    return {
        "host": host.fingerprint(),
        "versions": host.versions(),
        "threads": host.usable_cores(),
        "thread_settings": host.thread_settings(),
        "memory_available_gib": round(psutil.virtual_memory().available / 2**30, 1),
        "cuda_devices": devices if isinstance(devices, int) else 0,
        "cuda": f"{devices} device(s)" if isinstance(devices, int) else devices,
        "gpu": {"has": has, "lacks": lacks},
        "home": str(home()),
        "noise": noise(),
        "unavailable": {
            f"{each.stage}/{each.name}": missing
            for each in registry.variants().values()
            if (missing := each.missing()) is not None
        },
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Examine this machine: Python, libraries, threads, BLAS, GPU, noise, and what would not run and why."""
    findings = _findings()
    if as_json:
        click.echo(json.dumps(findings, indent=1))
        return
    console = wide_console()
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("machine", ", ".join(f"{name} {value}" for name, value in findings["host"].items()))
    table.add_row("memory", f"{findings['memory_available_gib']} GiB available")
    table.add_row("libraries", ", ".join(f"{name} {value}" for name, value in findings["versions"].items()))
    table.add_row("threads", f"{findings['threads']} usable; every library is given as many (--threads)")
    pools = ", ".join(f"{name}={value}" for name, value in findings["thread_settings"].items())
    table.add_row("thread pools", pools or "none loaded yet, none set")
    table.add_row("GPU", "\n".join([findings["cuda"], *findings["gpu"]["has"]]))
    table.add_row("GPU lacks", "\n".join(findings["gpu"]["lacks"]) or "nothing")
    table.add_row("kept in", findings["home"])
    measured = findings["noise"]
    verdict = "quiet" if measured["spread_percent"] < 3 else "noisy: compare by ratios, never by one time"
    table.add_row(
        "noise",
        f"{verdict}; the same {1e3 * measured['median_seconds']:.1f} ms of work spread "
        f"{measured['spread_percent']:.1f} %, worst +{measured['worst_percent']:.0f} %, "
        f"load by others {measured['other_load_percent']:.0f} %",
    )
    console.print(table)
    if findings["unavailable"]:
        missing = Table(title="would not run here", title_justify="left", title_style="bold")
        missing.add_column("variant", no_wrap=True)
        missing.add_column("reason", overflow="fold")
        for name, reason in findings["unavailable"].items():
            missing.add_row(name, reason)
        console.print(missing)
        console.print("Asked for, these become rows 'unavailable'; with --fallback VARIANT, rows 'fell-back'.")
