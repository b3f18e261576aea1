"""``pytest bench/suite``: every case, timed by pytest-benchmark and judged by technobench."""

from pytest_benchmark.fixture import BenchmarkFixture
from technobench.bench.pytest_plugin import TimedCase


def test_case(case: TimedCase, benchmark: BenchmarkFixture) -> None:
    """The answer is right before the clock starts and after it has stopped; set-up is outside of it."""
    case.start()
    benchmark(case.run)
    case.finish(benchmark)
