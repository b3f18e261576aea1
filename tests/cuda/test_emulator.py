"""The emulator itself: what CUDA defines comes out as NumPy has it, and what CUDA does not define is refused."""

import numpy as np
import pytest

from .emulator import KernelError, RawModule

pytestmark = pytest.mark.usefixtures("compiler")

INDICES = """
extern "C" __global__ void number(int* out) {
    int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}
"""
NINE_BARRIERS = """
constexpr int THREADS = 256;
extern "C" __global__ void __launch_bounds__(THREADS) turn(const float* __restrict__ x, float* y) {
    __shared__ float tile[THREADS];
    tile[threadIdx.x] = x[blockIdx.x * THREADS + threadIdx.x];
    for (int k = 1; k < 256; k *= 2) {
        __syncthreads();
        float other = tile[threadIdx.x ^ k];
        __syncthreads();
        tile[threadIdx.x] = other;
    }
    __syncthreads();
    y[blockIdx.x * THREADS + threadIdx.x] = tile[threadIdx.x];
}
"""
SUM_OF_BLOCK = """
extern __shared__ float tile[];
extern "C" __global__ void sum(const float* x, const int n, float* y) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    tile[threadIdx.x] = at < n ? x[at] : 0.0f;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) tile[threadIdx.x] += tile[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) y[blockIdx.x] = tile[0];
}
"""
WARP = """
extern "C" __global__ void warp(const int* x, int* down, int* up, int* turned, int* from, int* sum, unsigned* votes) {
    int at = blockIdx.x * blockDim.x + threadIdx.x, value = x[at];
    down[at] = __shfl_down_sync(0xffffffffu, value, 3, 8);
    up[at] = __shfl_up_sync(0xffffffffu, value, 1);
    turned[at] = __shfl_xor_sync(0xffffffffu, value, 5);
    from[at] = __shfl_sync(0xffffffffu, value, 2, 16);
    votes[at] = __ballot_sync(0xffffffffu, value & 1);
    int total = value;
    for (int by = 16; by > 0; by /= 2) total += __shfl_xor_sync(0xffffffffu, total, by);
    sum[at] = total;
}
"""
ATOMICS = """
extern "C" __global__ void count(const int* x, int* bins, float* floats, double* doubles, int* largest, unsigned* cas) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    atomicAdd(&bins[x[at]], 1);
    atomicAdd(&floats[x[at]], 0.5f);
    atomicAdd(&doubles[x[at]], 0.25);
    atomicMax(largest, x[at]);
    unsigned seen = 0, before;
    while ((before = atomicCAS(cas, seen, seen + 3)) != seen) seen = before;
}
"""
TICKETS = """
extern "C" __global__ void take(int* next, int* ticket) {
    ticket[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(next, 1);
}
"""


def run(code, name, grid, block, *args, shared_mem=0, seed=0, checked=False):
    RawModule(code=code, seed=seed, checked=checked).get_function(name)(grid, block, args, shared_mem=shared_mem)


both_builds = pytest.mark.parametrize("checked", [False, True], ids=["fast", "checked"])


@both_builds
def test_indices_of_blocks_and_threads(checked):
    out = np.full((24, 30), -1, np.int32)
    run(INDICES, "number", (2, 3, 4), (5, 3, 2), out, checked=checked)
    np.testing.assert_array_equal(out, np.arange(24)[:, None] * 1000 + np.arange(30))


def test_a_million_threads_with_many_barriers():
    x = np.random.default_rng(0).normal(size=1 << 20).astype(np.float32)
    y = np.zeros_like(x)
    run(NINE_BARRIERS, "turn", (len(x) // 256,), (256,), x, y)
    np.testing.assert_array_equal(y.reshape(-1, 256), x.reshape(-1, 256)[:, ::-1])


@both_builds
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "threads"), [(1, 32), (1000, 128), (1025, 1024)])
def test_dynamic_shared_memory_and_a_ragged_last_block(checked, seed, n, threads):
    x = np.random.default_rng(seed).normal(size=n).astype(np.float32)
    blocks = -(-n // threads)
    y = np.zeros(blocks, np.float32)
    run(
        SUM_OF_BLOCK,
        "sum",
        (blocks,),
        (threads,),
        x,
        np.int32(n),
        y,
        shared_mem=4 * threads,
        seed=seed,
        checked=checked,
    )
    padded = np.pad(x, (0, blocks * threads - n)).reshape(blocks, threads)
    np.testing.assert_allclose(y, padded.sum(axis=1, dtype=np.float64), rtol=1e-5, atol=1e-5)


@both_builds
def test_shuffles_and_ballots(checked):
    x = np.random.default_rng(1).integers(0, 1000, 128).astype(np.int32)
    down, up, turned, sent, total, votes = (np.full_like(x, -1) for _ in range(6))
    votes = votes.astype(np.uint32)
    run(WARP, "warp", (2,), (64,), x, down, up, turned, sent, total, votes, checked=checked)
    lane, warps = np.arange(32), x.reshape(-1, 32)
    expected = {
        "down": np.where(lane % 8 + 3 < 8, warps[:, np.minimum(lane + 3, 31)], warps),
        "up": np.where(lane > 0, warps[:, np.maximum(lane - 1, 0)], warps),
        "turned": warps[:, lane ^ 5],
        "from": warps[:, lane // 16 * 16 + 2],
        "sum": np.repeat(warps.sum(axis=1, keepdims=True), 32, axis=1),
        "votes": np.repeat(((warps & 1) << lane).sum(axis=1, keepdims=True), 32, axis=1),
    }
    for (name, values), found in zip(expected.items(), (down, up, turned, sent, total, votes), strict=True):
        np.testing.assert_array_equal(found.reshape(-1, 32), values, err_msg=name)


@both_builds
def test_atomics(checked):
    x = np.random.default_rng(2).integers(0, 7, 512).astype(np.int32)
    bins, floats, doubles = np.zeros(7, np.int32), np.zeros(7, np.float32), np.zeros(7)
    largest, cas = np.zeros(1, np.int32), np.zeros(1, np.uint32)
    run(ATOMICS, "count", (4,), (128,), x, bins, floats, doubles, largest, cas, checked=checked)
    count = np.bincount(x, minlength=7)
    np.testing.assert_array_equal([bins, floats, doubles], [count, count / 2, count / 4])
    assert (largest[0], cas[0]) == (x.max(), 3 * 512)


def test_the_order_of_blocks_and_threads_is_the_seed_s():
    def tickets(seed):
        taken = np.zeros(4 * 64, np.int32)
        run(TICKETS, "take", (4,), (64,), np.zeros(1, np.int32), taken, seed=seed)
        assert sorted(taken) == list(range(256))
        return taken.tolist()

    assert tickets(1) == tickets(1)
    assert len({tuple(tickets(seed)) for seed in range(5)}) == 5
    assert tickets(1)[:64] != sorted(tickets(1)[:64]), "threads of a block"


KERNEL = 'extern "C" __global__ void kernel(const float* x, float* y, const int n) {{ __shared__ float tile[64]; {} }}'
REFUSED = {
    "a barrier that some threads do not reach": (
        "if (threadIdx.x < 40) __syncthreads();",
        "40 threads of block .* wait at the barrier of line 1, and 24 have finished",
    ),
    "two barriers at once": ("if (threadIdx.x < 40) __syncthreads();\nelse __syncthreads();", "divergence"),
    "a lane that is not in its mask": ("__syncwarp(0xfffffffeu);", "is not in the mask fffffffe"),
    "a warp that parts": ("if (threadIdx.x % 32) __syncwarp();", "lane .* waits for ever"),
}
CAUGHT = {
    "a read beyond the end": ("y[threadIdx.x] = x[threadIdx.x + 1];", "reads 4 bytes at byte 256 of x, which has 256"),
    "a read before the start": ("y[threadIdx.x] = x[(int)threadIdx.x - 1];", "reads 4 bytes"),
    "a write beyond the end": ("y[threadIdx.x + 1] = 0;", "writes 4 bytes at byte 256 of y"),
    "a read far away": ("y[threadIdx.x] = x[1 << 24];", "outside of all arguments"),
    "an index beyond a shared array": ("tile[threadIdx.x + 1] = 0;", "indexes beyond the end of an array in line 1"),
    "an address that is not aligned": ("((float2*)y)[0] = *(const float2*)(x + 1);", "not a multiple"),
    "more bits than there are": ("y[threadIdx.x] = 1 << (n + 32);", "shifts by more bits"),
    "shared memory that nothing wrote": ("y[threadIdx.x] = tile[threadIdx.x];", "which nothing has written"),
    "a missing barrier": (
        "tile[threadIdx.x] = 1; y[threadIdx.x] = tile[63 - threadIdx.x];",
        "race.* no barrier between|nothing has written",
    ),
    "all threads writing one place": ("tile[0] = 1;", "race"),
    "a plain sum where an atomic one belongs": ("y[0] += 1;", "race"),
    "blocks that write one place": ("if (threadIdx.x == 0) y[0] = 1;", "nothing orders blocks"),
    "an atomic access beside a plain one": ("if (threadIdx.x) atomicAdd(y, 1.0f); else y[0] = 0;", "race"),
    "a place that two warps read and one writes": (
        "if (threadIdx.x == 0) tile[0] = 1; __syncthreads(); float read = tile[0]; __syncwarp();"
        "if (threadIdx.x == 5) tile[0] = read;",
        "race",
    ),
    "a place that a warp's lanes read and one writes": (
        "int first = threadIdx.x / 32; if (threadIdx.x % 32 == 0) tile[first] = 1; __syncwarp();"
        "float read = tile[first];"
        "if (threadIdx.x % 32 == 5) tile[first] = read + 1; else if (read > 1) y[threadIdx.x] = 1;",
        "race",
    ),
    "a warp's barrier for a block's": (
        "tile[threadIdx.x] = 1; __syncwarp(); y[threadIdx.x] = tile[63 - threadIdx.x];",
        "race",
    ),
}


def arguments():
    return np.zeros(64, np.float32), np.zeros(64, np.float32), np.int32(0)


@both_builds
@pytest.mark.parametrize("what", REFUSED)
def test_what_would_hang_is_refused(what, checked):
    body, said = REFUSED[what]
    with pytest.raises(KernelError, match=said):
        run(KERNEL.format(body), "kernel", (2,), (64,), *arguments(), checked=checked)


@pytest.mark.parametrize("what", CAUGHT)
def test_what_cuda_does_not_define_is_caught(what):
    body, said = CAUGHT[what]
    with pytest.raises(KernelError, match=said):
        run(KERNEL.format(body), "kernel", (2,), (64,), *arguments(), checked=True)


def test_a_message_names_the_lines_of_both_accesses():
    body = "tile[threadIdx.x] = x[0];\n__syncthreads();\ny[threadIdx.x / 2 + 64 * blockIdx.x] =\ntile[threadIdx.x];"
    x, y = np.zeros(128, np.float32), np.zeros(128, np.float32)
    with pytest.raises(
        KernelError, match=r"writes byte \d+ of y in line kernel.cu:3, race: .* wrote it in line kernel.cu:3"
    ):
        run(KERNEL.format(body), "kernel", (2,), (64,), x, y, np.int32(0), checked=True)


@pytest.mark.parametrize(
    "body",
    [
        "tile[threadIdx.x] = 1; __syncwarp(); y[threadIdx.x + 64 * blockIdx.x] = tile[threadIdx.x ^ 1];",
        "tile[threadIdx.x] = 1; __syncthreads(); y[threadIdx.x + 64 * blockIdx.x] = tile[63 - threadIdx.x];",
        "tile[threadIdx.x] = x[0]; y[threadIdx.x + 64 * blockIdx.x] = tile[threadIdx.x];",
        "atomicAdd(y, 1.0f);",
        "int first = threadIdx.x / 32; if (threadIdx.x % 32 == 0) tile[first] = 1; __syncwarp();"
        "float read = tile[first]; __syncwarp(); if (threadIdx.x % 32 == 5) tile[first] = read;",
    ],
    ids=["a warp's barrier", "a block's barrier", "places of one's own", "atomic sums", "all lanes read, one writes"],
)
def test_what_is_well_ordered_is_not_refused(body):
    run(
        KERNEL.format(body),
        "kernel",
        (2,),
        (64,),
        *(np.zeros(128, np.float32) for _ in "xy"),
        np.int32(0),
        checked=True,
    )


def test_memory_that_nothing_wrote_is_nan_and_gaps_are_watched_in_the_fast_build_too():
    x, y, n = arguments()
    run(KERNEL.format("if (blockIdx.x == 0) y[threadIdx.x] = tile[threadIdx.x];"), "kernel", (2,), (64,), x, y, n)
    assert np.isnan(y).all()
    with pytest.raises(KernelError, match="outside of all arguments"):
        run(KERNEL.format("y[64] = 0;"), "kernel", (1,), (1,), x, y, n)


def test_the_smallest_numbers_are_zero_as_cupy_compiles_and_the_host_s_stay():
    x, y = np.full(64, 1e-40, np.float32), np.ones(64, np.float32)
    run(KERNEL.format("y[threadIdx.x] = x[threadIdx.x] > 0.0f;"), "kernel", (1,), (64,), x, y, np.int32(0))
    assert not y.any() and (x * np.float32(2) > 0).all()


x64, y64, zero = arguments()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((x64, y64), "has 3 parameters, not 2"),
        ((x64.astype(np.float64), y64, zero), "takes numpy.float32"),
        ((x64, y64, 0), "got int"),
        ((x64, y64, np.int64(0)), "got int64; it takes numpy.int32"),
        ((x64, y64, y64), "got ndarray"),
        ((x64, 1.0, zero), "got float"),
        ((np.zeros(128, np.float32)[::2], y64, zero), "not contiguous"),
        ((y64[32:], y64, zero), "also another argument"),
    ],
)
def test_arguments_are_checked(args, said):
    with pytest.raises(KernelError, match=said):
        run(KERNEL.format(""), "kernel", (1,), (1,), *args)


@pytest.mark.parametrize(
    ("grid", "block", "shared", "said"),
    [
        ((0,), (1,), 0, "no device takes"),
        ((1, 1 << 16), (1,), 0, "no device takes"),
        (1, (1,), 0, "tuples"),
        ((1,), (1025,), 0, "1024 threads"),
        ((1,), (1,), 49_153, "max_dynamic_shared_size_bytes of 49152"),
    ],
)
def test_launches_are_checked(grid, block, shared, said):
    with pytest.raises(KernelError, match=said):
        run(SUM_OF_BLOCK, "sum", grid, block, x64, zero, y64, shared_mem=shared)


def test_launch_bounds_and_shared_memory_on_demand():
    with pytest.raises(KernelError, match="256 threads"):
        run(NINE_BARRIERS, "turn", (1,), (512,), x64, y64)
    kernel = RawModule(code=SUM_OF_BLOCK).get_function("sum")
    kernel.max_dynamic_shared_size_bytes = 100_000
    y = np.zeros(1, np.float32)
    kernel((1,), (64,), (np.ones(64, np.float32), np.int32(64), y), shared_mem=100_000)
    assert y[0] == 64
    with pytest.raises(KernelError, match="no dynamic shared memory"):
        run(INDICES, "number", (1,), (1,), np.zeros(1, np.int32), shared_mem=4)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("__global__ void kernel(int* x) {}", 'extern "C"'),
        ('extern "C" __global__ void kernel(thing* x) {}', "'thing\\* x'"),
        (SUM_OF_BLOCK.replace('extern "C"', 'extern __shared__ int other[];\nextern "C"'), "one name"),
    ],
)
def test_sources_that_it_cannot_read_are_refused(code, said):
    with pytest.raises(ValueError, match=said):
        RawModule(code=code)


def test_what_does_not_compile_says_why():
    body = "float own[20000]; for (int k = 0; k < n; k++) own[k] = x[k]; y[0] = own[n / 2];"
    with pytest.raises(KernelError, match="frame size"):
        RawModule(code=KERNEL.format(body))
    with pytest.raises(KernelError, match="__nanosleep"):
        RawModule(code=KERNEL.format("__nanosleep(1);"))
