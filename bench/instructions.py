"""Instructions executed by a process, where Linux counts them (perf_event_open(2)); most virtual machines do not."""

import ctypes
import os
import platform
import struct
import sys

HARDWARE, INSTRUCTIONS = 0, 1
"""PERF_TYPE_HARDWARE and PERF_COUNT_HW_INSTRUCTIONS."""
_SYSTEM_CALL = {"x86_64": 298, "aarch64": 241}
_ATTRIBUTES_BYTES = 128
_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6


class InstructionCounter:
    """Counts what this thread, and the threads and processes that it starts from now on, execute in user mode."""

    def __init__(self, kind: int = HARDWARE, event: int = INSTRUCTIONS) -> None:
        """Begin to count; any other event of perf_event_open(2) may be counted in place of instructions."""
        self._descriptor = -1
        number = _SYSTEM_CALL.get(platform.machine())
        if sys.platform != "linux" or number is None:
            return
        flags = _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
        attributes = bytearray(_ATTRIBUTES_BYTES)
        struct.pack_into("IIQQQQQ", attributes, 0, kind, _ATTRIBUTES_BYTES, event, 0, 0, 0, flags)
        given = (ctypes.c_char * _ATTRIBUTES_BYTES).from_buffer(attributes)
        self._descriptor = ctypes.CDLL(None).syscall(number, given, 0, -1, -1, 0)

    def read(self) -> int | None:
        """The count so far; None where the platform does not count."""
        if self._descriptor < 0:
            return None
        return int.from_bytes(os.read(self._descriptor, 8), sys.byteorder)

    def close(self) -> None:
        """Count no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
