"""The cap on device memory that a process is given, by its environment, as it is given a number of threads."""

import os

from .errors import InputError

VARIABLE = "TECHNOBENCH_DEVICE_MEMORY"


def device_environment(limit: int | None) -> dict[str, str]:
    """The environment that caps a process at so many bytes of device memory; None for what the device has free.

    CuPy is held to the cap as well, so that an estimate that is too low is an error and not a cap that is none.
    """
    if limit is None:
        return {VARIABLE: ""}
    return {VARIABLE: str(limit), "CUPY_GPU_MEMORY_LIMIT": str(limit)}


def device_limit() -> int | None:
    """The cap of this process in bytes, or None.

    Raises:
        InputError: the variable holds no number of bytes.

    """
    given = os.environ.get(VARIABLE, "")
    if not given:
        return None
    if not given.isascii() or not given.isdigit():
        raise InputError(f"{VARIABLE}={given}: is no number of bytes; unset it, or write 16 GiB as {16 << 30}")
    return int(given)
