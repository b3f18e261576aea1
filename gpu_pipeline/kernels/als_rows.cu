// Rows of ALS by conjugate gradients, one block for each: what cpu_pipeline/kernels/conjugate_gradients.py does, in the
// same coordinates. The vectors of a row's items lie in shared memory, all of them where they fit, else a tile at a time.
// Each sum has one writer and a fixed order: the same bits in every run.
constexpr int THREADS = 256;
constexpr int WARP = 32;
constexpr int WARPS = 8;
constexpr int LANES = 8;  // that take the product of one entry's vector
constexpr unsigned WHOLE_WARP = 0xffffffffu;
constexpr float EXACT = 1e-10f;  // squared residual, relative to the solution's squared length, at which a row is solved
constexpr float NOTHING = 1e-30f;

extern __shared__ float shared[];

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

// Fills `partial` with parts of wanted S'c - S'WS v, unless `adds` is false; returns v'S'WS v - 2 wanted v'S'c to every
// thread. v is `along`; `loaded` says that the tile holds all entries. v may be from after the last barrier.
__device__ __forceinline__ double add_products(const Entries& row, const float* along, float wanted, bool loaded,
                                               bool adds) {
    __shared__ double totals[WARPS];
    int slots = row.groups * row.width;
    double total = 0;
    for (int slot = threadIdx.x; slot < slots; slot += THREADS) row.partial[slot] = 0;
    for (int first = 0; first < row.count; first += row.tile_entries) {
        int count = min(row.tile_entries, row.count - first);
        __syncthreads();
        if (!loaded) {
            load(row, first, count);
            __syncthreads();
        }
        total += weigh(row, along, wanted, first, count);
        __syncthreads();
        for (int slot = threadIdx.x; adds && slot < slots; slot += THREADS) {
            const float* column = row.tile + slot % row.width;
            float sum = 0;
            for (int entry = slot / row.width; entry < count; entry += row.groups) {
                sum += row.weights[entry] * column[entry * row.stride];
            }
            row.partial[slot] += sum;
        }
    }
    total = sum_of_warp(total);
    if (threadIdx.x % WARP == 0) totals[threadIdx.x / WARP] = total;
    __syncthreads();
    total = 0;
    for (int warp = 0; warp < WARPS; warp++) total += totals[warp];
    return total;
}

// What add_products has found for a coordinate.
__device__ __forceinline__ float product_of(const Entries& row, int k) {
    float sum = 0;
    for (int group = 0; group < row.groups; group++) sum += row.partial[group * row.width + k];
    return sum;
}

// Takes at most `steps` on the vectors in `found`, float[rows, width]. One block for each row, in the order of `order`;
// dynamic shared memory: 4 * ((3 + groups) * width + tile_entries * (stride + 1)) bytes. Coordinate k is written by one
// thread everywhere.
//
// pointers, items, strengths, alpha: the matrix as CSR, and c = 1 + alpha r. vectors: float[others, width]. excess:
// float[rows], what a row's lambda is above that of the coordinates; inverse: float[width], their squared scale.
// values: double[rows], out: z'(M + S'WS)z - 2 z'S'c, what of the loss depends on the row, less the sum of c.
//
// Four blocks share a multiprocessor: 64 registers for a thread. Left to itself NVRTC 12.9 takes 40, and spills.
extern "C" __global__ void __launch_bounds__(THREADS, 4) improve_rows(
    const int steps, const int* __restrict__ order, const long long* __restrict__ pointers,
    const int* __restrict__ items, const float* __restrict__ strengths, const float alpha,
    const float* __restrict__ vectors, const int width, const float* __restrict__ excess,
    const float* __restrict__ inverse, const int tile_entries, const int stride, const int groups,
    float* __restrict__ found, double* __restrict__ values) {
    int number = order[blockIdx.x];
    long long start = pointers[number];
    float *own = found + (long long)number * width, *z = shared, *residual = z + width, *along = residual + width;
    float *partial = along + width, *weights = partial + groups * width, *tile = weights + tile_entries;
    Entries row = {items + start, strengths + start, vectors, alpha, (int)(pointers[number + 1] - start), width,
                   tile_entries, stride, groups, tile, weights, partial};
    Metric metric = {inverse, excess[number]};
    if (row.count == 0) {
        for (int k = threadIdx.x; k < width; k += THREADS) own[k] = 0;
        if (threadIdx.x == 0) values[number] = 0;
        return;
    }
    for (int k = threadIdx.x; k < width; k += THREADS) z[k] = own[k];
    double value = add_products(row, z, 1.0f, false, true);
    for (int k = threadIdx.x; k < width; k += THREADS) {
        residual[k] = product_of(row, k) - metric[k] * z[k];
        along[k] = residual[k] / metric[k];
    }
    __syncthreads();
    Sizes sizes = sizes_of(residual, z, metric, width);
    value += sizes.vector;
    for (int step = 0; step < steps && sizes.residual > EXACT * sizes.vector + NOTHING; step++) {
        // The last step's length needs no more than the products with the stored vectors.
        bool last = step == steps - 1;
        double curvature = add_products(row, along, 0.0f, row.count <= tile_entries, !last);
        float length = sizes.residual / ((float)curvature + length_of(along, metric, width));
        value -= length * sizes.residual;
        for (int k = threadIdx.x; k < width; k += THREADS) z[k] += length * along[k];
        if (last) break;
        for (int k = threadIdx.x; k < width; k += THREADS) {
            residual[k] += length * (product_of(row, k) - metric[k] * along[k]);
        }
        __syncthreads();
        Sizes next = sizes_of(residual, z, metric, width);
        for (int k = threadIdx.x; k < width; k += THREADS) {
            along[k] = residual[k] / metric[k] + next.residual / sizes.residual * along[k];
        }
        sizes = next;
    }
    for (int k = threadIdx.x; k < width; k += THREADS) own[k] = z[k];
    if (threadIdx.x == 0) values[number] = value;
}
