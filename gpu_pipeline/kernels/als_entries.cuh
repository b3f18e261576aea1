// What the kernels of ALS have in common: a block's row, whose items' vectors lie in shared memory, all of them where
// they fit, else a tile at a time, and its sums, each of one writer and in a fixed order.
#pragma once

constexpr int THREADS = 256;
constexpr int WARP = 32;
constexpr int WARPS = 8;
constexpr int LANES = 8;  // that take the product of one entry's vector
constexpr unsigned WHOLE_WARP = 0xffffffffu;
constexpr float EXACT = 1e-10f;  // squared residual, relative to the solution's squared length, at which a row is solved
constexpr float NOTHING = 1e-30f;

extern __shared__ float4 shared[];  // of floats; as float4 it begins at a multiple of 16 bytes

// A row's entries: c - 1 = alpha * strength, and vectors of the other side. A tile has room for `tile_entries` of them,
// `stride` floats apart, and for a weight of each. Sums over them are taken in `groups` parts, side by side in `partial`.
struct Entries {
    const int* items;
    const float* strengths;
    const float* vectors;
    float alpha;
    int count, width, tile_entries, stride, groups;
    float *tile, *weights, *partial;
};

// The metric M = 1 + excess * inverse of a row's coordinates.
struct Metric {
    const float* inverse;
    float excess;
    __device__ __forceinline__ float operator[](int k) const { return 1.0f + excess * inverse[k]; }
};

// Squared lengths of a residual by 1 / M and of a vector by M.
struct Sizes {
    float residual, vector;
};

// The sum over a warp, the same bits in all of its lanes.
template <class T> __device__ __forceinline__ T sum_of_warp(T value) {
    for (int by = WARP / 2; by > 0; by /= 2) value += __shfl_xor_sync(WHOLE_WARP, value, by);
    return value;
}

// Each warp takes these sums for itself, all the same ones: no thread waits for another.
__device__ __forceinline__ float length_of(const float* vector, const Metric& metric, int width) {
    float sum = 0;
    for (int k = threadIdx.x % WARP; k < width; k += WARP) sum += metric[k] * vector[k] * vector[k];
    return sum_of_warp(sum);
}

__device__ __forceinline__ Sizes sizes_of(const float* residual, const float* vector, const Metric& metric, int width) {
    float sum = 0;
    for (int k = threadIdx.x % WARP; k < width; k += WARP) sum += residual[k] * residual[k] / metric[k];
    return {sum_of_warp(sum), length_of(vector, metric, width)};
}

// The tile of entries from `first` on.
__device__ __forceinline__ void load(const Entries& row, int first, int count) {
    for (int entry = threadIdx.x / WARP; entry < count; entry += WARPS) {
        const float* vector = row.vectors + (long long)row.items[first + entry] * row.width;
        for (int k = threadIdx.x % WARP; k < row.width; k += WARP) row.tile[entry * row.stride + k] = vector[k];
    }
}

// Fills the weights wanted c - (c - 1) y.v of a tile; returns this thread's part of the sum that add_products returns.
__device__ __forceinline__ double weigh(const Entries& row, const float* along, float wanted, int first, int count) {
    int lane = threadIdx.x % LANES;
    double total = 0;
    for (int start = threadIdx.x / WARP * (WARP / LANES); start < count; start += THREADS / LANES) {
        int entry = start + threadIdx.x % WARP / LANES;
        float dot = 0;
        if (entry < count) {
            for (int k = lane; k < row.width; k += LANES) dot += row.tile[entry * row.stride + k] * along[k];
        }
        for (int by = LANES / 2; by > 0; by /= 2) dot += __shfl_xor_sync(WHOLE_WARP, dot, by);
        if (entry < count && lane == 0) {
            float extra = row.alpha * row.strengths[first + entry], confidence = wanted * (1.0f + extra);
            float weight = confidence - extra * dot;
            row.weights[entry] = weight;
            total -= dot * (confidence + weight);
        }
    }
    return total;
}

// Adds the weighted vectors of a tile to `partial`.
__device__ __forceinline__ void add_columns(const Entries& row, int count) {
    int slots = row.groups * row.width;
    for (int slot = threadIdx.x; slot < slots; slot += THREADS) {
        const float* column = row.tile + slot % row.width;
        float sum = 0;
        for (int entry = slot / row.width; entry < count; entry += row.groups) {
            sum += row.weights[entry] * column[entry * row.stride];
        }
        row.partial[slot] += sum;
    }
}

// The sum of what the threads of a block have, the same bits in all of them. Has a barrier.
__device__ __forceinline__ double sum_of_block(double total) {
    __shared__ double totals[WARPS];
    total = sum_of_warp(total);
    if (threadIdx.x % WARP == 0) totals[threadIdx.x / WARP] = total;
    __syncthreads();
    total = 0;
    for (int warp = 0; warp < WARPS; warp++) total += totals[warp];
    return total;
}

// Fills `partial` with parts of wanted S'c - S'WS v, unless `adds` is false; returns v'S'WS v - 2 wanted v'S'c to every
// thread. v is `along`; `loaded` says that the tile holds all entries. v may be from after the last barrier.
__device__ __forceinline__ double add_products(const Entries& row, const float* along, float wanted, bool loaded,
                                               bool adds) {
    double total = 0;
    for (int slot = threadIdx.x; slot < row.groups * row.width; slot += THREADS) row.partial[slot] = 0;
    for (int first = 0; first < row.count; first += row.tile_entries) {
        int count = min(row.tile_entries, row.count - first);
        __syncthreads();
        if (!loaded) {
            load(row, first, count);
            __syncthreads();
        }
        total += weigh(row, along, wanted, first, count);
        __syncthreads();
        if (adds) add_columns(row, count);
    }
    return sum_of_block(total);
}

// What the groups of `partial`, float[groups, width], have found for a coordinate.
__device__ __forceinline__ float product_of(const float* partial, int groups, int width, int k) {
    float sum = 0;
    for (int group = 0; group < groups; group++) sum += partial[group * width + k];
    return sum;
}
