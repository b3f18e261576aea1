// What runtime.cpp (threads and barriers) and checks.cpp (memory) tell each other.
#pragma once

#include "cuda_on_host.h"

#include <stddef.h>

namespace cuda_on_host {

// A piece of memory that a kernel may touch, with its name in messages.
struct Region {
    char* start;
    size_t bytes;
    const char* name;
};

// The thread that runs, and how many barriers it has passed: of its block, and of its warp since the last of these.
struct Position {
    uint32_t block, thread, block_epoch, warp_epoch;
};

extern Position here;

// Where the stack of the thread that runs lies.
Region own_stack();

// Ends the launch with a message, which begins with the thread that runs.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// The checks forget all accesses: of a launch, which may touch these regions, or of shared memory alone, before a block.
void begin_checked_launch(const Region* regions, int count);
void begin_checked_block(const Region* shared, int count);

}  // namespace cuda_on_host
