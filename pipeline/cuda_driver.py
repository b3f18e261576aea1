"""What the CUDA driver tells of itself and of its devices, asked through `ctypes` (CUDA driver API).

The Python packages that could tell are absent on a machine without a device, or abort the process there.
"""

import ctypes
import functools
from dataclasses import dataclass
from typing import Any

from .errors import DeviceError

_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_MENDED_BY = {
    2: "its memory is used up: end what else uses the device (nvidia-smi lists it)",
    34: "libcuda.so.1 is the stub of the CUDA toolkit: take its folder out of LD_LIBRARY_PATH",
    46: "the device is busy, another process has it to itself: end that (nvidia-smi lists it)",
    100: "it finds no device: see nvidia-smi and CUDA_VISIBLE_DEVICES, and start a container with --gpus all",
    101: "CUDA_VISIBLE_DEVICES names no device that is there",
    802: "the system is not ready: start nvidia-fabricmanager",
    803: "library and kernel module of the driver differ: restart the machine",
    804: "the compatibility package of a newer CUDA does not do for this device: remove it, or update the driver",
    999: "for an unknown reason: see the kernel's log for lines with NVRM",
}
"""Of the driver's codes (cuda.h) what a user can do about them."""


@dataclass(frozen=True)
class Device:
    """A CUDA device. capability: compute capability, as 8.0. total_bytes: of its memory."""

    name: str
    capability: str
    total_bytes: int


class Driver:
    """The driver, started. version: the newest CUDA that it runs, as (12, 8)."""

    def __init__(self, library: Any) -> None:
        """Start it.

        Raises:
            DeviceError: it does not start, or has no device.

        """
        self._library = library
        self._call("cuInit", 0)
        number = ctypes.c_int()
        self._call("cuDriverGetVersion", ctypes.byref(number))
        self.version = number.value // 1000, number.value % 1000 // 10
        self._call("cuDeviceGetCount", ctypes.byref(number))
        self.count = number.value
        if not self.count:
            raise DeviceError(f"the CUDA driver cannot be used: {_MENDED_BY[100]}")

    def device(self, number: int = 0) -> Device:
        """One of the devices.

        Raises:
            DeviceError: the driver does not tell.

        """
        name, total = ctypes.create_string_buffer(256), ctypes.c_size_t()
        device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(device), number)
        self._call("cuDeviceGetName", name, len(name), device)
        self._call("cuDeviceTotalMem_v2", ctypes.byref(total), device)
        self._call("cuDeviceGetAttribute", ctypes.byref(major), _CAPABILITY_MAJOR, device)
        self._call("cuDeviceGetAttribute", ctypes.byref(minor), _CAPABILITY_MINOR, device)
        return Device(name.value.decode(errors="replace"), f"{major.value}.{minor.value}", total.value)

    def free_bytes(self) -> int:
        """Memory of the first device that nothing uses. It makes a context there, as every use of the device does.

        Raises:
            DeviceError: the device is busy or full.

        """
        device, context, before = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        try:
            self._call("cuCtxPushCurrent_v2", context)
            try:
                self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
            finally:
                self._call("cuCtxPopCurrent_v2", ctypes.byref(before))
        finally:
            self._call("cuDevicePrimaryCtxRelease_v2", device)
        return free.value

    def is_used(self) -> bool:
        """Whether anything in this process keeps a context on the first device, as the CUDA runtime does when it works.

        Raises:
            DeviceError: the driver does not tell.

        """
        device, flags, active = ctypes.c_int(), ctypes.c_uint(), ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDevicePrimaryCtxGetState", device, ctypes.byref(flags), ctypes.byref(active))
        return bool(active.value)

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            raise DeviceError(f"the CUDA driver cannot be used ({name} returned {code}): {_mended_by(code)}")


def _mended_by(code: int) -> str:
    return _MENDED_BY.get(code, f"look up {code} among the CUresult codes of the CUDA driver API")


@functools.cache
def driver() -> Driver | str:
    """The driver, or one sentence saying why there is none to use."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        mended = "install NVIDIA's driver, or start a container with --gpus all"
        return f"no CUDA driver (libcuda.so.1 is not installed: {mended})"
    try:
        return Driver(library)
    except DeviceError as error:
        return str(error)
