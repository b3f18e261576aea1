"""What a user can do about a fault of a CUDA device, told from what CuPy, cuDF, XGBoost and CUDA say of it."""

import re

WRONG = (
    "a device that answers wrongly once is not to be trusted: look for errors of its memory (nvidia-smi -q -d ECC), "
    "and report it if it comes again"
)
_DOCTOR = "'technobench doctor' says what fits this driver"
_MENDED_BY = (
    (
        r"cudaErrorInsufficientDriver|driver version is insufficient|CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        f"the library is built for a newer CUDA than the driver runs: update the driver, or install the other build; "
        f"{_DOCTOR}",
    ),
    (
        r"cudaErrorNoKernelImageForDevice|no kernel image is available|CUDA_ERROR_NO_BINARY_FOR_GPU|"
        r"cudaErrorUnsupportedPtxVersion|the provided PTX was compiled with an unsupported toolchain",
        f"the library is built for another CUDA or for other devices than this one; {_DOCTOR}",
    ),
    (
        r"(libcu\w+|libnv\w+|librmm|libnccl)\.so\S*: cannot open shared object|DynamicLibNotFoundError|"
        r"symbol not found in .*libcu",
        f"a library of CUDA is missing or of another version: install the extra gpu-cu12 or gpu-cu13 whole; {_DOCTOR}",
    ),
    (
        r"cudaErrorDevicesUnavailable|busy or unavailable|CUDA_ERROR_DEVICE_UNAVAILABLE",
        "another process has the device to itself: end it (nvidia-smi lists it), or set its mode to default "
        "(nvidia-smi -c 0)",
    ),
    (
        r"cudaErrorMemoryAllocation|[Oo]ut of memory|OutOfMemory|out_of_memory|std::bad_alloc",
        "end what else uses the device (nvidia-smi lists it), or let it be split further: give --device-memory less "
        "than the device has free",
    ),
    (
        r"cudaErrorNoDevice|no CUDA-capable device",
        "see nvidia-smi and CUDA_VISIBLE_DEVICES, and start a container with --gpus all",
    ),
    (
        r"cudaErrorECCUncorrectable|uncorrectable ECC|cudaErrorIllegalAddress|illegal memory access|"
        r"cudaErrorLaunchFailure|unspecified launch failure|misaligned address|cudaErrorHardwareStackError",
        "the device failed at work: see the kernel's log for lines with Xid, and report it if it comes again",
    ),
)
"""What is said, and what mends it; the first that is found holds."""


def explained(reason: str) -> str:
    """The reason with what a user can do about it, where that is known."""
    mended = next((mended for said, mended in _MENDED_BY if re.search(said, reason)), None)
    return reason if mended is None else f"{reason}; {mended}"
