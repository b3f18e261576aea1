"""Samples a process from outside while it works: memory, CPU, I/O, power and, where NVML is there, the GPU."""

import contextlib
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

import psutil

from ..pipeline.row import Monitored
from .energy import CpuEnergy, PowerMeter

INTERVAL_SECONDS = 0.1
_CHILDREN_EVERY = 10
"""Looking for child processes scans all processes, so it is done at every tenth sample only."""
_LEAST_AVAILABLE = 0.02
"""Share of the machine's memory below which the process is killed, before the system kills something else."""


class Gpu:
    """Memory, use and energy of the first device, by NVML; nothing where NVML is absent or fails."""

    def __init__(self) -> None:
        self.handle: Any = None
        with contextlib.suppress(Exception):  # NVML's errors are not known where it cannot be imported
            import pynvml

            pynvml.nvmlInit()
            self.nvml, self.handle = pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)

    def sample(self) -> tuple[int, int] | None:
        """Bytes used and per cent busy, of the whole device."""
        if self.handle is None:
            return None
        try:
            used = self.nvml.nvmlDeviceGetMemoryInfo(self.handle).used
            return int(used), int(self.nvml.nvmlDeviceGetUtilizationRates(self.handle).gpu)
        except self.nvml.NVMLError:
            return None

    def used_by(self, processes: Collection[int]) -> int | None:
        """Bytes that processes use; None where the driver knows none of them, as it may in a container."""
        if self.handle is None:
            return None
        try:
            running = self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle)
        except self.nvml.NVMLError:
            return None
        told = [each.usedGpuMemory for each in running if each.pid in processes and each.usedGpuMemory is not None]
        return sum(told) if told else None

    def joules(self) -> float | None:
        """Those used since the driver was loaded; None before Volta."""
        if self.handle is None:
            return None
        try:
            return self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle) / 1e3
        except self.nvml.NVMLError:
            return None


class Monitor:
    """Watches one process in a thread of its own, from start to end, but only while it is at work (`watching`).

    out_of_memory: set where the process was killed since the machine's memory was nearly used up.
    """

    def __init__(self, pid: int, interval: float = INTERVAL_SECONDS) -> None:
        """Begin to watch process ``pid`` every ``interval`` seconds."""
        self.interval = interval
        self.process = psutil.Process(pid)
        self.out_of_memory = False
        self._watched = [self.process]
        self._stop = threading.Event()
        self._at_work = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._samples = self._peak_rss = self._peak_with_children = self._read = self._written = 0
        self._cpu_seconds = self._cost = self._elapsed = 0.0
        self._gpu_samples: list[tuple[int, int]] = []
        self._gpu_own_peak: int | None = None
        self._gpu = Gpu()
        self._gpu_power, self._cpu_power = PowerMeter(self._gpu.joules), PowerMeter(CpuEnergy().joules)
        self._thread.start()

    def stop(self) -> Monitored:
        """Stop watching; return what was seen."""
        self._stop.set()
        self._at_work.set()
        self._thread.join()
        return self.result()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """The process is at work while this block is open; in between, other cases' times are not disturbed."""
        self._at_work.set()
        try:
            yield
        finally:
            self._at_work.clear()

    def result(self) -> Monitored:
        """What was seen up to now."""
        elapsed = max(self._elapsed, 1e-9)
        gpu = self._gpu_samples
        return Monitored(
            samples=self._samples,
            peak_rss_bytes=self._peak_rss,
            mean_cpu_percent=round(100 * self._cpu_seconds / elapsed, 1),
            read_bytes=self._read,
            written_bytes=self._written,
            cost_share=round(self._cost / elapsed, 5),
            peak_with_children_bytes=self._peak_with_children or None,
            gpu_peak_bytes=max((used for used, _ in gpu), default=None),
            gpu_mean_use_percent=round(sum(busy for _, busy in gpu) / len(gpu), 1) if gpu else None,
            gpu_mean_watts=self._gpu_power.watts,
            cpu_mean_watts=self._cpu_power.watts,
            gpu_own_peak_bytes=self._gpu_own_peak,
        )

    def _watch(self) -> None:
        cost_start = time.thread_time()
        before = self._counters()
        while not self._stop.is_set():
            idle = not self._at_work.is_set()
            self._at_work.wait()
            start = time.perf_counter()
            if idle:
                before = self._counters()
                self._gpu_power.start()
                self._cpu_power.start()
            with contextlib.suppress(psutil.Error):
                before = self._sample(before)
            self._stop.wait(self.interval)
            self._elapsed += time.perf_counter() - start
            self._cost = time.thread_time() - cost_start

    def _sample(self, before: tuple[float, int, int]) -> tuple[float, int, int]:
        """Take one sample; return the counters, to compare the next one with."""
        if self._samples % _CHILDREN_EVERY == 0:
            self._watched = [self.process, *self.process.children(recursive=True)]
        self._samples += 1
        resident = 0
        for process in self._watched:
            with contextlib.suppress(psutil.Error):
                resident += process.memory_info().rss
        self._peak_rss = max(self._peak_rss, resident)
        if len(self._watched) > 1:
            self._peak_with_children = max(self._peak_with_children, resident)
        now = self._counters()
        self._cpu_seconds += max(0.0, now[0] - before[0])
        self._read += max(0, now[1] - before[1])
        self._written += max(0, now[2] - before[2])
        self._gpu_power.count()
        self._cpu_power.count()
        if (seen := self._gpu.sample()) is not None:
            self._gpu_samples.append(seen)
        if (own := self._gpu.used_by({each.pid for each in self._watched})) is not None:
            self._gpu_own_peak = max(own, self._gpu_own_peak or 0)
        memory = psutil.virtual_memory()
        if memory.available < _LEAST_AVAILABLE * memory.total:
            self.out_of_memory = True
            self.process.kill()
        return now

    def _counters(self) -> tuple[float, int, int]:
        """CPU seconds, bytes read and bytes written of the watched processes since each began."""
        cpu, read, written = 0.0, 0, 0
        for process in self._watched:
            with contextlib.suppress(psutil.Error, AttributeError):
                times = process.cpu_times()
                cpu += times.user + times.system
                counters = process.io_counters()
                read, written = read + counters.read_bytes, written + counters.write_bytes
        return cpu, read, written
