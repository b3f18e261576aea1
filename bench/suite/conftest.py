"""Options of ``pytest bench/suite``, and the environment that its libraries start in."""

import os

import pytest
from technobench.bench import host


def pytest_addoption(parser: pytest.Parser) -> None:
    """As options of ``technobench run``, with its defaults."""
    group = parser.getgroup("technobench")
    group.addoption(
        "--technobench-dataset",
        action="append",
        metavar="NAME",
        help="Dataset, made if absent; repeat for more [default: whotracksme].",
    )
    group.addoption(
        "--technobench-scale",
        action="append",
        type=float,
        metavar="FACTOR",
        help="Size of a synthetic dataset; repeat for more [default: 1].",
    )
    group.addoption(
        "--technobench-param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="A parameter, as trees=50; repeat for more, with one NAME to measure with each VALUE.",
    )
    group.addoption(
        "--technobench-threads", type=int, metavar="N", help="Threads of every library [default: all usable cores]."
    )
    group.addoption(
        "--technobench-budget",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="Run time per case; what is too slow for --benchmark-min-rounds in it is skipped [default: 60].",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Set the threads before any library that reads them is loaded; the rest of the suite loads them."""
    if not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError("the suite needs pytest-benchmark: pip install pytest-benchmark")
    threads = config.option.technobench_threads or host.usable_cores()
    config.option.technobench_threads = threads
    os.environ.update(host.thread_environment(threads))
    config.pluginmanager.import_plugin("technobench.bench.pytest_plugin")
