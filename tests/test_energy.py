"""Power and memory of a device: counters of energy over time, one that starts anew, none, and whose memory it is."""

from types import SimpleNamespace

import pytest
from technobench.bench.energy import CpuEnergy, PowerMeter
from technobench.bench.monitor import Gpu


class Device:
    """A counter and a clock that a test moves."""

    def __init__(self):
        self.joules, self.seconds = 1000.0, 50.0

    def use(self, watts, seconds):
        self.joules += watts * seconds
        self.seconds += seconds

    def meter(self):
        return PowerMeter(lambda: self.joules, lambda: self.seconds)


def test_the_mean_is_over_the_spans_at_work_alone():
    device = Device()
    meter = device.meter()
    meter.start()
    device.use(100, 2)
    meter.count()
    device.use(400, 1)
    meter.count()
    device.use(5000, 10)  # another's
    meter.start()
    device.use(100, 1)
    meter.count()
    assert meter.watts == pytest.approx(700 / 4)


def test_too_short_a_span_has_no_mean():
    device = Device()
    meter = device.meter()
    meter.start()
    device.use(100, 0.5)
    meter.count()
    assert meter.watts is None


def test_a_counter_that_is_not_there_or_falls_counts_nothing():
    assert PowerMeter(lambda: None).watts is None
    device = Device()
    meter = device.meter()
    meter.start()
    device.use(-100, 5)  # the driver was loaded anew
    meter.count()
    assert meter.watts is None


def package(folder, name, microjoules, most=1_000_000):
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{microjoules}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{most}\n")


def test_packages_are_added_up_parts_are_not_and_a_counter_may_start_anew(tmp_path):
    package(tmp_path, "intel-rapl:0", 900_000)
    package(tmp_path, "intel-rapl:1", 100_000)
    package(tmp_path, "intel-rapl:0:0", 5)
    energy = CpuEnergy(tmp_path)
    assert energy.joules() == 0.0
    package(tmp_path, "intel-rapl:0", 50_000)  # 150,000 further, over the end of its range
    package(tmp_path, "intel-rapl:1", 200_000)
    package(tmp_path, "intel-rapl:0:0", 999_999)
    assert energy.joules() == pytest.approx(0.25)


def test_without_packages_or_the_right_to_read_them_there_is_no_energy(tmp_path):
    assert CpuEnergy(tmp_path).joules() is None
    (tmp_path / "intel-rapl:0").mkdir()
    assert CpuEnergy(tmp_path).joules() is None
    package(tmp_path, "intel-rapl:0", "nonsense")
    assert CpuEnergy(tmp_path).joules() is None


class Nvml:
    """NVML with processes of its own."""

    class NVMLError(Exception):
        """What it raises."""

    def __init__(self, used):
        self.used = used

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        if self.used is None:
            raise self.NVMLError
        return [SimpleNamespace(pid=pid, usedGpuMemory=count) for pid, count in self.used.items()]


@pytest.mark.parametrize(
    ("used", "told"),
    [({7: 100, 8: 20, 9: 5}, 120), ({9: 5}, None), ({}, None), ({7: None, 8: 3}, 3), ({7: 0}, 0), (None, None)],
)
def test_the_memory_of_a_device_is_the_processes_own(used, told):
    device = Gpu()
    device.nvml, device.handle = Nvml(used), object()
    assert device.used_by({7, 8}) == told


def test_without_a_meter_of_memory_nothing_is_told():
    device = Gpu()
    device.handle = None
    assert device.used_by({7}) is None
