// Runs the blocks of a grid one after the other, each thread a fibre that runs to its next barrier, in a seeded order.

#include "runtime.h"
#include "switch_stack.h"

#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace cuda_on_host {
namespace {

constexpr int MOST_THREADS = 1024, WARP = 32;
// Not a power of two, so that the stacks do not all fall on the same lines of the cache.
constexpr size_t STACK_BYTES = 64 * 1024 + 1088;
constexpr uint64_t CANARY = 0x5afe5afe5afe5afe;

enum State : uint8_t { RUNS, AT_BLOCK_BARRIER, AT_WARP_BARRIER, FINISHED };

struct Fibre {
    void* stack_pointer;
    uint3 index;
    uint32_t warp_epoch;
    unsigned mask;
    int line;
    State state;
};

Fibre fibres[MOST_THREADS];
char* stacks;
void* scheduler;
uint64_t brought[MOST_THREADS / WARP][2][WARP];
uint8_t exchanges[MOST_THREADS];  // of each lane: which of the two buffers its next exchange uses
int current, threads, waiting_at_block, waiting_at_warp, finished, barrier_line;
uint64_t random_state;
char* message;
size_t message_bytes;
bool failed;
void (*entry)(void**);
void** arguments;

uint32_t random_below(uint32_t end) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return uint32_t((random_state >> 32) * end >> 32);
}

char* stack_of(int thread) { return stacks + thread * STACK_BYTES; }

void wait(State state) {
    Fibre& own = fibres[current];
    own.state = state;
    switch_stack(&own.stack_pointer, scheduler);
}

[[noreturn]] void start() {
    entry(arguments);
    finished++;
    wait(FINISHED);
    abort();
}

void prepare(int thread) {
    char* stack = stack_of(thread);
    *(uint64_t*)stack = CANARY;
    uint64_t* top = (uint64_t*)((uintptr_t)(stack + STACK_BYTES - 64) & ~uintptr_t(15)) - WORDS;
    for (int word = 0; word < WORDS; word++) top[word] = 0;
    top[RETURN_TO] = (uint64_t)start;
    unsigned in_plane = thread % (blockDim.x * blockDim.y);
    uint3 index = {in_plane % blockDim.x, in_plane / blockDim.x, thread / (blockDim.x * blockDim.y)};
    fibres[thread] = {top, index, 0, 0, 0, RUNS};
    exchanges[thread] = 0;
}

void resume(int thread) {
    current = thread;
    threadIdx = fibres[thread].index;
    here.thread = thread;
    here.warp_epoch = fibres[thread].warp_epoch;
    switch_stack(&scheduler, fibres[thread].stack_pointer);
    if (*(uint64_t*)stack_of(thread) != CANARY) {
        snprintf(message, message_bytes, "a thread needs more than the %zu bytes of stack of an emulated one", STACK_BYTES);
        failed = true;
    }
}

// Lanes that all wait at one place go on; false where a lane of a mask can never come.
bool release_warps() {
    for (int first = 0; first < threads; first += WARP) {
        unsigned lanes = 0, live = 0;
        for (int thread = first; thread < first + WARP && thread < threads; thread++) {
            lanes |= unsigned(fibres[thread].state == AT_WARP_BARRIER) << (thread - first);
            live |= 1u << (thread - first);
        }
        unsigned left = lanes;
        while (left) {
            int leader = __builtin_ctz(left);
            Fibre& led = fibres[first + leader];
            unsigned wanted = led.mask & live;
            bool together = (wanted & lanes) == wanted;
            for (unsigned rest = wanted & lanes; rest; rest &= rest - 1) {
                Fibre& other = fibres[first + __builtin_ctz(rest)];
                together &= other.mask == led.mask && other.line == led.line;
            }
            if (!together) {
                current = first + leader;
                snprintf(message, message_bytes, "divergence: the lanes %08x of a warp synchronise at line %d, and not all of "
                         "them come there; lane %d waits for ever", wanted, led.line, leader);
                return false;
            }
            for (unsigned rest = wanted; rest; rest &= rest - 1) {
                Fibre& other = fibres[first + __builtin_ctz(rest)];
                other.state = RUNS;
                other.warp_epoch += wanted == live;
                waiting_at_warp--;
            }
            left &= ~wanted;
        }
    }
    return true;
}

// After all threads have run as far as they could: which go on.
bool release() {
    if (waiting_at_warp) return release_warps();
    if (waiting_at_block < threads) {
        snprintf(message, message_bytes, "divergence: %d threads of block (%u, %u, %u) wait at the barrier of line %d, and %d "
                 "have finished without it", waiting_at_block, blockIdx.x, blockIdx.y, blockIdx.z, barrier_line, finished);
        return false;
    }
    waiting_at_block = 0;
    here.block_epoch++;
    for (int thread = 0; thread < threads; thread++) {
        fibres[thread].state = RUNS;
        fibres[thread].warp_epoch = 0;
    }
    return true;
}

bool run_block() {
    static int order[MOST_THREADS];
    waiting_at_block = waiting_at_warp = finished = 0;
    here.block_epoch = 0;
    for (int thread = 0; thread < threads; thread++) {
        prepare(thread);
        order[thread] = thread;
    }
    while (true) {
        for (int last = threads - 1; last > 0; last--) {
            int other = random_below(last + 1), kept = order[last];
            order[last] = order[other];
            order[other] = kept;
        }
        for (int k = 0; k < threads && !failed; k++)
            if (fibres[order[k]].state == RUNS) resume(order[k]);
        if (failed) return false;
        if (finished == threads) return true;
        if (!release()) return false;
    }
}

// The segment of thread_local variables has memory once one of them is reached: this one.
thread_local volatile char reached;

// The segment that holds this library's thread_local variables, which are the kernels' shared ones.
Region shared_variables() {
    Region found = {nullptr, 0, "shared memory"};
    reached = 1;
    dl_iterate_phdr([](dl_phdr_info* info, size_t, void* result) {
        bool own = false;
        size_t thread_local_bytes = 0;
        for (int k = 0; k < info->dlpi_phnum; k++) {
            const auto& header = info->dlpi_phdr[k];
            uintptr_t start = info->dlpi_addr + header.p_vaddr, inside = (uintptr_t)&shared_variables;
            if (header.p_type == PT_LOAD) own |= inside >= start && inside < start + header.p_memsz;
            if (header.p_type == PT_TLS) thread_local_bytes = header.p_memsz;
        }
        if (own && info->dlpi_tls_data)
            *(Region*)result = {(char*)info->dlpi_tls_data, thread_local_bytes, "shared memory"};
        return int(own);
    }, &found);
    return found;
}

}  // namespace

Position here;

Region own_stack() { return {stack_of(current), STACK_BYTES, "the thread's own"}; }

void fail(const char* format, ...) {
    int used = snprintf(message, message_bytes, "thread (%u, %u, %u) of block (%u, %u, %u) ", threadIdx.x, threadIdx.y,
                        threadIdx.z, blockIdx.x, blockIdx.y, blockIdx.z);
    va_list values;
    va_start(values, format);
    vsnprintf(message + used, message_bytes - used, format, values);
    va_end(values);
    failed = true;
    switch_stack(&fibres[current].stack_pointer, scheduler);
    abort();
}

int lane() { return current % WARP; }

void block_barrier(int line) {
    if (waiting_at_block && line != barrier_line)
        fail("waits at the barrier of line %d where others wait at that of line %d: divergence", line, barrier_line);
    barrier_line = line;
    waiting_at_block++;
    wait(AT_BLOCK_BARRIER);
}

const uint64_t* warp_barrier(unsigned mask, uint64_t value, int line) {
    if (!(mask >> lane() & 1)) fail("is not in the mask %08x that it synchronises with at line %d", mask, line);
    // In turn two buffers: a lane that is ahead by one exchange does not overwrite what the others have yet to read.
    uint64_t* buffer = brought[current / WARP][exchanges[current]];
    exchanges[current] ^= 1;
    buffer[lane()] = value;
    Fibre& own = fibres[current];
    own.mask = mask;
    own.line = line;
    waiting_at_warp++;
    wait(AT_WARP_BARRIER);
    here.warp_epoch = own.warp_epoch;
    return buffer;
}

// While it lives, numbers too small to be normal are 0, as under the -ftz=true that CuPy compiles with.
class FlushToZero {
#if defined(__x86_64__)
    unsigned kept = __builtin_ia32_stmxcsr();

public:
    FlushToZero() { __builtin_ia32_ldmxcsr(kept | 0x8040); }
    ~FlushToZero() { __builtin_ia32_ldmxcsr(kept); }
#else
    uint64_t kept;

public:
    FlushToZero() {
        asm volatile("mrs %0, fpcr" : "=r"(kept));
        asm volatile("msr fpcr, %0" : : "r"(kept | 1 << 24));
    }
    ~FlushToZero() { asm volatile("msr fpcr, %0" : : "r"(kept)); }
#endif
};

// Runs a kernel; 0, or 1 with a message. `dynamic` is where its dynamic shared memory lies, `room` how much there is.
extern "C" int emulate(void (*kernel)(void**), void** values, const Region* regions, int count, const unsigned* grid,
                       const unsigned* block, char* dynamic, size_t room, size_t shared_bytes, uint64_t seed, char* text,
                       size_t text_bytes) {
    if (!stacks) {
        void* got = mmap(nullptr, MOST_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (got == MAP_FAILED) abort();
        stacks = (char*)got;
    }
    entry = kernel, arguments = values, message = text, message_bytes = text_bytes, failed = false;
    random_state = seed * 0x9e3779b97f4a7c15 + 0x2545f4914f6cdd1d;
    if (!random_state) random_state = 1;
    gridDim.x = grid[0], gridDim.y = grid[1], gridDim.z = grid[2];
    blockDim.x = block[0], blockDim.y = block[1], blockDim.z = block[2];
    threads = block[0] * block[1] * block[2];
    // What is dynamic lies among the static variables, in a room that most launches do not use up.
    Region all = shared_variables();
    char *end = all.start + all.bytes, *room_start = dynamic ? dynamic : end;
    room = dynamic ? room : 0;
    const Region shared[3] = {{all.start, size_t(room_start - all.start), "shared memory"},
                              {room_start, shared_bytes, "dynamic shared memory"},
                              {room_start + room, size_t(end - room_start - room), "shared memory"}};
    begin_checked_launch(regions, count);
    unsigned blocks = grid[0] * grid[1] * grid[2];
    unsigned* order = (unsigned*)malloc(blocks * sizeof(unsigned));
    for (unsigned k = 0; k < blocks; k++) {
        unsigned other = random_below(k + 1);
        order[k] = order[other];
        order[other] = k;
    }
    bool good = true;
    FlushToZero flush;
    for (unsigned k = 0; k < blocks && good; k++) {
        here.block = order[k];
        blockIdx = {order[k] % grid[0], order[k] / grid[0] % grid[1], order[k] / (grid[0] * grid[1])};
        for (const Region& region : shared) memset(region.start, 0xff, region.bytes);
        begin_checked_block(shared, 3);
        good = run_block();
    }
    free(order);
    return !good;
}

}  // namespace cuda_on_host
