"""What ``pytest bench/suite`` is made of: a case timed by pytest-benchmark's fixture, checked and kept as a row.

The fixture wants the run in its own process, so cases share one, one after the other; `technobench run` gives each a
process of its own, and runs them in turn.
"""

import math
import os
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ..pipeline import registry
from ..pipeline.contract import Scalar
from ..pipeline.datasets import catalogue
from ..pipeline.errors import InputError
from ..pipeline.row import Row, Status
from ..pipeline.workload import Workload
from . import host, store
from .case_run import CaseRun, Settings
from .cases import Group, fitting, groups
from .commands.repeat import named_values
from .in_process import InProcess
from .measure import measuring, prepare_reference, private_folder
from .pytest_benchmark_json import extra_info, put_without_times
from .worker import keep_to_cores

_BEYOND_ROUNDS = 3
"""Runs that pytest-benchmark makes beside its rounds, and ours: to calibrate, for the result, and to be checked."""
_ONE_PROCESS = "within pytest, in one process with other cases: its peak of memory may be theirs"
_NOTHING_WRONG = {Status.UNVERIFIED, Status.EXTRAPOLATED, Status.UNAVAILABLE}
"""And yet no time to rely on: skipped."""

_groups = pytest.StashKey[list[Group]]()
_not_measured = pytest.StashKey[list[str]]()
_without_times = pytest.StashKey[list[Row]]()


class TimedCase:
    """A case between its set-up and its row. What it ends with but ``ok`` ends the test."""

    def __init__(self, name: str, case: CaseRun, least_rounds: int, without_times: list[Row]) -> None:
        """Take a case whose reference is there, or which has failed.

        least_rounds: that pytest-benchmark times. without_times: gets the row, unless a benchmark holds it.
        """
        self._name, self._case, self._without_times = name, case, without_times
        self._runs = least_rounds + _BEYOND_ROUNDS

    def start(self) -> None:
        """Set up, find out whether the rounds fit the budget, warm up, and check that answer."""
        case = self._case
        if case.failure is None:
            budget = case.settings.budget
            # A case warms up where two runs fit; let those be of the longest that the rounds have time for.
            case.settings = replace(case.settings, budget=2 * budget / self._runs)
            case.start(None)
            if case.rounds:
                pytest.skip(f"{self._name}: " + self._too_slow(case.rounds[0].seconds, budget))
            if case.extrapolation is not None and case.status()[0] is Status.EXTRAPOLATED:
                told = self._too_slow(case.extrapolation.seconds, budget)
                self._end(msgspec.structs.replace(case.finish(), reason=told))
        if case.status()[0] is not Status.OK:
            self._end(case.finish())
        assert isinstance(case.child, InProcess)
        self.run = case.child.timed()

    def finish(self, benchmark: Any) -> None:
        """Check the answer of one more run, whose memory and CPU time are seen, and give the benchmark its row."""
        self._case.round()
        row = self._case.finish()
        if row.status is not Status.OK:
            benchmark.has_error = True  # its times are neither shown nor written
            if benchmark.stats is not None:
                benchmark.stats.stats.data.clear()
            self._end(row)
        if benchmark.stats is None:  # --benchmark-disable: checked, and not timed
            return
        alerts = [_ONE_PROCESS, *row.alerts]
        if benchmark.stats.iterations > 1:
            alerts.append(f"each of its times is the mean of {benchmark.stats.iterations} runs")
        seconds = list(benchmark.stats.stats.data)
        benchmark.extra_info |= extra_info(
            msgspec.structs.replace(row, seconds=seconds, cpu_seconds=None, alerts=alerts)
        )

    def _too_slow(self, seconds: float, budget: float) -> str:
        return f"too slow: {self._runs} runs of some {seconds:.3g} s do not fit --technobench-budget {budget:g}"

    def _end(self, row: Row) -> None:
        self._without_times.append(row)
        told = f"{row.status}: {row.reason}"
        unmet = os.environ.get("TECHNOBENCH_REQUIRE") == row.device == "cuda" and row.status is Status.UNAVAILABLE
        if row.status in _NOTHING_WRONG and not unmet:
            pytest.skip(f"{self._name}: {told}")
        pytest.fail(f"TECHNOBENCH_REQUIRE=cuda is not met: {row.reason}" if unmet else told, pytrace=False)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Choose the cases, and make their datasets.

    Raises:
        pytest.UsageError: an option names nothing that there is.

    """
    option, stash = session.config.option, session.config.stash
    stash[_without_times] = []
    host.fingerprint()  # of the whole machine, before this process is held to a part of it
    keep_to_cores(0)
    datasets, scales = option.technobench_dataset or ["whotracksme"], option.technobench_scale or [1.0]
    try:
        selected = list(groups([], [], datasets, scales, None, named_values(option.technobench_param)))
        stash[_groups], stash[_not_measured] = fitting(selected, [])
        for dataset, scale in dict.fromkeys((group.dataset, group.scale) for group in stash[_groups]):
            catalogue.get(dataset, scale)
    except InputError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    """With how many threads, and which stages not."""
    return [f"technobench: {config.option.technobench_threads} threads", *config.stash[_not_measured]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test per case, told by plain values, by which pytest-benchmark groups and which it writes down."""
    if "case" not in metafunc.fixturenames:
        return
    found = [
        pytest.param(
            *(group.stage, variant.name, group.dataset, group.scale, group.parameters),
            id=group.case_name(variant),
            marks=pytest.mark.benchmark(group=f"{group.stage} {group.problem_name}", disable_gc=True),
        )
        for group in metafunc.config.stash[_groups]
        for variant in group.variants
    ]
    metafunc.parametrize(("stage", "variant", "dataset", "scale", "parameters"), found)


@pytest.fixture(scope="session")
def settings(pytestconfig: pytest.Config) -> Iterator[Settings]:
    """How the session measures; its command is pytest's."""
    with measuring() as alerts:
        yield Settings(
            run_id=store.new_run_id(),
            session="",
            command=shlex.join(["pytest", *map(str, pytestconfig.invocation_params.args)]),
            threads=pytestconfig.option.technobench_threads,
            budget=pytestconfig.option.technobench_budget,
            rounds=1,
            timeout=math.inf,
            max_rss=None,
            device_memory=None,
            fallback=None,
            alerts=alerts,
        )


@pytest.fixture(scope="session")
def references() -> Iterator[Path]:
    """The folder of the references, each computed once, in a process of its own."""
    with private_folder() as folder:
        yield folder


@pytest.fixture
def case(
    stage: str,
    variant: str,
    dataset: str,
    scale: float,
    parameters: dict[str, Scalar],
    settings: Settings,
    references: Path,
    request: pytest.FixtureRequest,
) -> Iterator[TimedCase]:
    """A case to be set up."""
    asked = registry.variants()[stage, variant]
    group = Group(stage, dataset, scale, parameters, (asked,))
    digest = Workload(catalogue.get(dataset, scale), parameters).problem_digest
    # A session of its own, since rows of one session are those of cases that ran in turn.
    own = replace(settings, session=secrets.token_hex(4))
    run = CaseRun(group, asked, own, digest, references, in_process=True)
    if not (references / f"{stage}-{digest}.reference").exists():
        prepare_reference([run], None, lambda _: None)
    config = request.config
    yield TimedCase(request.node.callspec.id, run, config.option.benchmark_min_rounds, config.stash[_without_times])
    run.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Write down beside the benchmarks what has no time: what is unavailable, wrong or too slow, and why."""
    put_without_times(output_json, config.stash[_without_times])
