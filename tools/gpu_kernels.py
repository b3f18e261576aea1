"""What the compiler makes of each CUDA kernel: registers, shared memory and spills, as docs/gpu-kernels.md tells them.

python tools/gpu_kernels.py [--write]

NVRTC needs no device and no driver: `pip install nvidia-cuda-nvrtc-cu12`. Without --write the table is printed.
"""

import argparse
import ctypes
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from technobench.gpu_pipeline.cuda_source import FOLDER, OPTIONS, source

OF_CUPY = ("-ftz=true", "--device-as-default-execution-space")
"""What CuPy 13.4 and 14.2 add to the options that they are given (cupy/cuda/compiler.py), beside the architecture."""
CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "12.0")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "gpu-kernels.md"
BEGIN, END = "<!-- table: python tools/gpu_kernels.py --write -->\n", "<!-- end of the table -->\n"


@dataclass(frozen=True)
class Resources:
    """What a kernel takes on devices of a compute capability; bytes, but for registers of a thread."""

    kernel: str
    capability: str
    registers: int
    shared: int
    stack: int
    spilled: int


class CompileError(Exception):
    """NVRTC does not compile a source; the message is its log."""


class Nvrtc:
    """The runtime compiler. ``version`` is as 12.9."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        major, minor = ctypes.c_int(), ctypes.c_int()
        library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        self.version = f"{major.value}.{minor.value}"

    @classmethod
    def find(cls) -> "Nvrtc | None":
        """That of NVIDIA's wheels, or else of the system; None where there is none."""
        nvidia = importlib.util.find_spec("nvidia")
        folders = map(Path, nvidia.submodule_search_locations or ()) if nvidia else ()
        wheels = [path for folder in folders for path in sorted(folder.glob("*/lib/libnvrtc.so.[0-9]*"))]
        for name in (*wheels, "libnvrtc.so.13", "libnvrtc.so.12"):
            try:
                return cls(ctypes.CDLL(str(name)))
            except OSError:
                continue
        return None

    def compile(self, text: str, name: str, options: tuple[str, ...]) -> str:
        """The log of a compilation to machine code.

        Raises:
            CompileError: it fails.

        """
        program = ctypes.c_void_p()
        self._library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), name.encode(), 0, None, None)
        encoded = [option.encode() for option in options]
        failed = self._library.nvrtcCompileProgram(program, len(encoded), (ctypes.c_char_p * len(encoded))(*encoded))
        size = ctypes.c_size_t()
        self._library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self._library.nvrtcGetProgramLog(program, log)
        self._library.nvrtcDestroyProgram(ctypes.byref(program))
        if failed:
            raise CompileError(f"{name}: {log.value.decode()}")
        return log.value.decode()

    def resources(self, text: str, name: str, capability: str) -> list[Resources]:
        """Of each kernel of a source, as it is loaded by the variants, for one compute capability."""
        options = *OPTIONS, *OF_CUPY, f"--gpu-architecture=sm_{capability.replace('.', '')}", "--ptxas-options=-v"
        log = self.compile(text, name, options)
        parts = re.split(r"Compiling entry function '(\w+)'", log)[1:]
        return [_resources(kernel, capability, told) for kernel, told in zip(parts[::2], parts[1::2], strict=True)]


def _resources(kernel: str, capability: str, told: str) -> Resources:
    def number(pattern: str) -> int:
        found = re.search(pattern, told)
        return int(found[1]) if found else 0

    return Resources(
        kernel,
        capability,
        registers=number(r"Used (\d+) registers"),
        shared=number(r"(\d+) bytes smem"),
        stack=number(r"(\d+) bytes stack frame"),
        spilled=number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
    )


def kernels_of(nvrtc: Nvrtc, path: Path) -> list[Resources]:
    """The kernels of a source for all compute capabilities, by kernel."""
    found = [each for capability in CAPABILITIES for each in nvrtc.resources(source(path.name), path.name, capability)]
    return sorted(found, key=lambda each: each.kernel)


def every_kernel(nvrtc: Nvrtc) -> list[Resources]:
    """All kernels for all compute capabilities, by source and kernel."""
    return [each for path in sorted(FOLDER.glob("*.cu")) for each in kernels_of(nvrtc, path)]


def table(found: list[Resources], version: str) -> Iterator[str]:
    """The lines of the Markdown table of what a version of NVRTC made."""
    yield f"Compiled by NVRTC {version}:"
    yield ""
    yield "| kernel | static shared memory, bytes | " + " | ".join(CAPABILITIES) + " |"
    yield "|---" * (2 + len(CAPABILITIES)) + "|"
    yield from rows(found)


def rows(found: list[Resources]) -> Iterator[str]:
    """The table's lines below its heading: one for each kernel."""
    for kernel in dict.fromkeys(each.kernel for each in found):
        own = [each for each in found if each.kernel == kernel]
        shared = ", ".join(str(size) for size in sorted({each.shared for each in own}))
        yield f"| `{kernel}` | {shared} | " + " | ".join(map(_cell, own)) + " |"


def _cell(each: Resources) -> str:
    spilled = f", **{each.spilled} spilled**" if each.spilled else ""
    return f"{each.registers}{spilled}"


def written(page: str, lines: Iterator[str], begin: str = BEGIN, end: str = END) -> str:
    """The page with a new table."""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return before + begin + "\n".join(lines) + "\n" + end + after


def main() -> None:
    """Print the table, or put it into its page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/gpu-kernels.md")
    chosen = parser.parse_args()
    nvrtc = Nvrtc.find()
    if nvrtc is None:
        parser.exit(2, "NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12\n")
    lines = table(every_kernel(nvrtc), nvrtc.version)
    if chosen.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")
    else:
        print(*lines, sep="\n")


if __name__ == "__main__":
    main()
