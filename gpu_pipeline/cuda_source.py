"""The kernels of our own: CUDA C++ in ``kernels/``, compiled for the device at hand when they are loaded."""

import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "kernels"
OPTIONS = ("-std=c++17",)
THREADS = 256
"""Of a block, in every kernel."""


def source(name: str) -> str:
    """The text of ``kernels/<name>``, and in it that of the headers it includes.

    CuPy keeps what it compiled by the text that it is given: it would not see a change in a header.
    """
    lines = []
    for number, line in enumerate((FOLDER / name).read_text(encoding="utf-8").splitlines(), start=1):
        if header := re.fullmatch(r'#include "(.+)"', line):
            lines += [f'#line 1 "{header[1]}"', source(header[1]), f'#line {number + 1} "{name}"']
        elif line != "#pragma once":
            lines.append(line)
    return "\n".join(lines) + "\n"


def load(cupy: Any, name: str) -> Any:
    """The `cupy.RawModule` of ``kernels/<name>``."""
    return cupy.RawModule(code=source(name), options=OPTIONS)
