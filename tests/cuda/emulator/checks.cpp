// Watches each access of an instrumented kernel: is it inside of an argument or of shared memory, was it written before
// it is read, and does another thread reach it between the same two barriers?
//
// Compiled with -fsanitize=thread and -fsanitize=undefined, a kernel calls the hooks at the end of this file, which are
// those of the compiler's own libraries; these libraries are not linked. An access is remembered by byte: its last
// write, its last read, and whether there were more such than one could order.

#include "runtime.h"

#include <dlfcn.h>
#include <stdlib.h>

namespace cuda_on_host {

#ifndef CHECKED

void begin_checked_launch(const Region*, int) {}
void begin_checked_block(const Region*, int) {}
void atomic_access(const volatile void*, int) {}

#else

namespace {

struct Access {
    Position by;
    void* code;
    bool happened, atomic;
    // By others before it, too, that nothing orders: lanes since their warp's last barrier, warps since their block's
    // last one, blocks ever.
    bool by_several_lanes, by_several_warps, by_several_blocks;
};

struct Byte {
    Access write, read;
};

struct Watched {
    Region region;
    Byte* bytes;
    bool shared;
};

constexpr int MOST_REGIONS = 64;
Watched watched[MOST_REGIONS];
int count, arguments;

// A new region, of which nothing is remembered; calloc takes no memory for what is never reached.
void watch(const Region& region, bool shared) {
    if (count == MOST_REGIONS) abort();
    watched[count++] = {region, (Byte*)calloc(region.bytes ? region.bytes : 1, sizeof(Byte)), shared};
}

void forget(int from) {
    while (count > from) free(watched[--count].bytes);
}

bool same_warp(const Access& other) { return other.by.thread / warpSize == here.thread / warpSize; }

bool unordered(const Access& other) {
    if (!other.happened) return false;
    if (other.by.block != here.block || other.by_several_blocks) return true;
    if (other.by.block_epoch != here.block_epoch) return false;
    if (!same_warp(other) || other.by_several_warps) return true;
    return other.by.warp_epoch == here.warp_epoch && (other.by.thread != here.thread || other.by_several_lanes);
}

bool conflicts(const Access& other, bool atomic) {
    if (other.atomic && atomic) return false;
    return unordered(other);
}

void remember(Access& last, bool atomic, void* code) {
    bool other_block = last.happened && last.by.block != here.block;
    bool since_barrier = last.happened && !other_block && last.by.block_epoch == here.block_epoch;
    bool since_warps = since_barrier && same_warp(last) && last.by.warp_epoch == here.warp_epoch;
    last = {
        here, code, true, atomic,
        since_warps && (last.by_several_lanes || last.by.thread != here.thread),
        since_barrier && (last.by_several_warps || !same_warp(last)),
        last.by_several_blocks || other_block,
    };
}

// A place in this library, which the caller of the emulator turns into a line of the source.
size_t offset(void* code) {
    Dl_info info;
    return dladdr(code, &info) ? (char*)code - (char*)info.dli_fbase - 1 : 0;
}

[[noreturn]] void report_race(const Watched& where, const char* address, bool writes, void* code, const Access& other,
                              bool wrote) {
    fail("%s byte %zd of %s in line <+%zx>, race: thread %u of block %u %s it in line <+%zx>, %s",
         writes ? "writes" : "reads", address - where.region.start, where.region.name, offset(code), other.by.thread,
         other.by.block, wrote ? "wrote" : "read", offset(other.code),
         other.by.block == here.block ? "with no barrier between" : "and nothing orders blocks");
}

// threadIdx and its like, which are registers on a device.
bool is_index(const char* address) {
    auto inside = [=](const auto& index) { return address >= (char*)&index && address < (char*)(&index + 1); };
    return inside(threadIdx) || inside(blockIdx) || inside(blockDim) || inside(gridDim);
}

void access(const volatile void* place, size_t bytes, bool writes, bool atomic, void* code) {
    char* address = (char*)place;
    Region stack = own_stack();
    if (address >= stack.start && address < stack.start + stack.bytes) return;
    if (is_index(address)) return;
    for (int k = 0; k < count; k++) {
        const Watched& where = watched[k];
        if (address < where.region.start || address + bytes > where.region.start + where.region.bytes) continue;
        for (size_t byte = 0; byte < bytes; byte++) {
            Byte& touched = where.bytes[address + byte - where.region.start];
            if (conflicts(touched.write, atomic))
                report_race(where, address + byte, writes, code, touched.write, true);
            if (writes && conflicts(touched.read, atomic))
                report_race(where, address + byte, true, code, touched.read, false);
            if (where.shared && !touched.write.happened && (!writes || atomic))
                fail("reads byte %zd of %s in line <+%zx>, which nothing has written",
                     address + byte - where.region.start, where.region.name, offset(code));
            if (writes) remember(touched.write, atomic, code);
            else remember(touched.read, atomic, code);
        }
        return;
    }
    for (int k = 0; k < count; k++) {
        const Region& near = watched[k].region;
        if (address + bytes > near.start && address < near.start + near.bytes + 4096)
            fail("%s %zu bytes at byte %zd of %s, which has %zu, in line <+%zx>", writes ? "writes" : "reads", bytes,
                 address - near.start, near.name, near.bytes, offset(code));
    }
    fail("%s %zu bytes outside of all arguments and of shared memory, in line <+%zx>", writes ? "writes" : "reads", bytes,
         offset(code));
}

}  // namespace

void begin_checked_launch(const Region* regions, int number) {
    forget(0);
    for (int k = 0; k < number; k++) watch(regions[k], false);
    arguments = count;
}

void begin_checked_block(const Region* shared, int number) {
    forget(arguments);
    for (int k = 0; k < number; k++) watch(shared[k], true);
}

void atomic_access(const volatile void* place, int bytes) {
    access(place, bytes, true, true, __builtin_return_address(0));
}

// Where in the source the compiler found undefined behaviour possible: what its hooks get first.
struct Source {
    const char* file;
    uint32_t line, column;
};

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define ACCESSES(bytes) \
    void __tsan_read##bytes(void* place) { access(place, bytes, false, false, __builtin_return_address(0)); } \
    void __tsan_write##bytes(void* place) { access(place, bytes, true, false, __builtin_return_address(0)); } \
    void __tsan_unaligned_read##bytes(void* place) { access(place, bytes, false, false, __builtin_return_address(0)); } \
    void __tsan_unaligned_write##bytes(void* place) { access(place, bytes, true, false, __builtin_return_address(0)); }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
void __tsan_read_range(void* place, size_t bytes) { access(place, bytes, false, false, __builtin_return_address(0)); }
void __tsan_write_range(void* place, size_t bytes) { access(place, bytes, true, false, __builtin_return_address(0)); }

void __ubsan_handle_out_of_bounds(Source* source, void*) {
    fail("indexes beyond the end of an array in line %u", source->line);
}
void __ubsan_handle_type_mismatch_v1(Source* source, void*) {
    fail("reaches an address that is not a multiple of what its type asks for, in line %u", source->line);
}
void __ubsan_handle_shift_out_of_bounds(Source* source, void*, void*) {
    fail("shifts by more bits than there are, in line %u", source->line);
}
void __ubsan_handle_divrem_overflow(Source* source, void*, void*) { fail("divides by zero in line %u", source->line); }
}

#endif

}  // namespace cuda_on_host
