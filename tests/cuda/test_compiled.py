"""Our kernels compiled for every compute capability that we name, without a device; NVRTC is skipped where absent."""

import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest
from technobench.gpu_pipeline import als_tile, device_rows, device_top_k
from technobench.gpu_pipeline.cuda_source import FOLDER

from . import emulator

ROOT = Path(__file__).resolve().parent.parent.parent
KERNEL = re.compile(r"__global__ void (?:__launch_bounds__\([^)]+\) )?(\w+)\(")
SPILLS = """
extern "C" __global__ void __launch_bounds__(1024, 2) spills(const float* x, float* y, int n) {
    float own[64];
    for (int k = 0; k < 64; k++) own[k] = x[k * n + threadIdx.x];
    for (int turn = 0; turn < n; turn++) for (int k = 0; k < 64; k++) own[k] = own[k] * own[(k * 7 + 1) % 64] + turn;
    for (int k = 0; k < 64; k++) y[k * n + threadIdx.x] = own[k];
}
"""


@pytest.fixture(scope="module")
def tool():
    folder = str(ROOT / "tools")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("gpu_kernels")
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="module")
def nvrtc(tool):
    found = tool.Nvrtc.find()
    if found is None:
        pytest.skip("NVRTC is not installed (pip install nvidia-cuda-nvrtc-cu12)")
    return found


@pytest.fixture(scope="module", params=sorted(path.name for path in FOLDER.glob("*.cu")))
def compiled(request, tool, nvrtc):
    """A source and its kernels for every capability; one source at a time, so that processes share the work."""
    return request.param, tool.kernels_of(nvrtc, FOLDER / request.param)


def test_every_kernel_is_compiled_for_every_capability(tool, compiled):
    name, resources = compiled
    kernels = KERNEL.findall((FOLDER / name).read_text(encoding="utf-8"))
    assert kernels
    expected = {(kernel, capability) for kernel in kernels for capability in tool.CAPABILITIES}
    assert {(each.kernel, each.capability) for each in resources} == expected
    assert all(16 <= each.registers <= 255 for each in resources)


def test_nothing_spills(compiled):
    assert [each for each in compiled[1] if each.capability in {"8.0", "9.0"} and (each.spilled or each.stack)] == []


def test_shared_memory_is_what_a_launch_may_have_without_asking(compiled):
    dynamic = {
        "score_rows": device_rows.SHARED_BYTES,
        "find_patterns": device_rows.SHARED_BYTES,
        "improve_rows": als_tile.MOST_SHARED_BYTES,
        "solve_rows": als_tile.MOST_SHARED_BYTES,
        "sum_slices": als_tile.MOST_SHARED_BYTES,
        "improve_shared_rows": als_tile.MOST_SHARED_BYTES,
        "solve_shared_rows": als_tile.MOST_SHARED_BYTES,
        "solve_wide_rows": als_tile.MOST_SHARED_BYTES,
        "select_best": device_top_k.MOST_SHARED_BYTES,
        "select_largest": device_top_k.MOST_SHARED_BYTES,
    }
    assert max(each.shared + dynamic.get(each.kernel, 0) for each in compiled[1]) <= emulator.SHARED_BYTES_UNASKED


def test_the_page_s_table_is_current(tool, nvrtc, compiled):
    page = tool.PAGE.read_text(encoding="utf-8")
    version = re.search(r"^Compiled by NVRTC (\S+):$", page, re.MULTILINE)[1]
    if version != nvrtc.version:
        pytest.skip(f"the table was made by NVRTC {version}, and this is another")
    rows = "\n".join(tool.rows(compiled[1]))
    assert f"\n{rows}\n" in page, "run: python tools/gpu_kernels.py --write"


def test_a_kernel_that_spills_is_seen(nvrtc):
    (found,) = nvrtc.resources(SPILLS, "spills.cu", "8.0")
    assert (found.kernel, found.registers) == ("spills", 32) and found.spilled > 0


def test_what_does_not_compile_says_why(tool, nvrtc):
    with pytest.raises(tool.CompileError, match='identifier "nowhere" is undefined'):
        nvrtc.resources('extern "C" __global__ void wrong() { nowhere(); }', "wrong.cu", "9.0")


def test_the_page_names_every_kernel_and_capability_whoever_compiled_it(tool):
    page = tool.PAGE.read_text(encoding="utf-8")
    table = page[page.index(tool.BEGIN) : page.index(tool.END)]
    for capability in tool.CAPABILITIES:
        assert f" {capability} |" in table
    sources = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.cu"))]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [
        kernel for text in sources for kernel in sorted(KERNEL.findall(text))
    ]


def test_an_installed_package_has_the_sources():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["technobench.gpu_pipeline"]
    packaged = {path for pattern in patterns for path in FOLDER.parent.glob(pattern)}
    assert packaged == {path for path in FOLDER.iterdir() if path.suffix in {".cu", ".cuh"}}
