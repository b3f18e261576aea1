"""In the place of CuPy: the stand-in, with the fault that the environment names."""

import os
import sys

from tests.cuda import standin

FAULT = os.environ.get("FAULT", "")


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


class Faulty(standin.StandIn):
    """Works up to its fault; ``answers`` counts those that were brought to the host."""

    __spec__ = __spec__
    answers = 0
    launches = 0

    def asarray(self, values, dtype=None):
        if FAULT == "another CUDA":
            said = "CUDA driver version is insufficient for CUDA runtime version"
            raise CUDARuntimeError(f"cudaErrorInsufficientDriver: {said}")
        if FAULT == "busy":
            raise CUDARuntimeError("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable")
        return super().asarray(values, dtype)

    def empty(self, shape, dtype=float):
        self.launches += 1
        # Three small runs and the warm-up are over before the first round.
        if FAULT == "memory" or (FAULT == "memory in the middle" and self.launches > self.late):
            raise standin.OutOfMemoryError("Out of memory allocating 512 bytes (allocated so far: 1,024 bytes)")
        if FAULT == "abort":
            os.abort()
        return super().empty(shape, dtype)

    late = int(os.environ.get("FAULT_AFTER", "0"))


cupy = Faulty()
_get = standin.Array.get


def get(array):
    """What the device gives back."""
    values = _get(array)
    cupy.answers += 1
    if FAULT == "NaN":
        values[len(values) // 2] = float("nan")
    if FAULT == "wrong" or (FAULT == "wrong in the middle" and cupy.answers > cupy.late):
        values[len(values) // 2] += 0.01
    return values


standin.Array.get = get
if FAULT == "library":
    raise ImportError("libnvrtc.so.13: cannot open shared object file: No such file or directory")
sys.modules["cupy"] = cupy
