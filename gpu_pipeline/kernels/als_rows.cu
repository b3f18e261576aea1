// Rows of ALS by conjugate gradients, one block for each: what cpu_pipeline/kernels/conjugate_gradients.py does, in the
// same coordinates. A long row's equations come from the blocks that share its entries (als_slices.cu), and its steps are
// taken on them. The same bits in every run.
#include "als_slices.cuh"

// Products with a row's entries.
struct OfEntries {
    const Entries& row;

    // Fills `partial` with parts of -S'WS v, unless `last`; returns v'S'WS v to every thread. v is from before a barrier
    // or later.
    __device__ __forceinline__ double operator()(const float* along, bool last) const {
        // The last step's length needs no more than the products with the stored vectors.
        return add_products(row, along, 0.0f, row.count <= row.tile_entries, !last);
    }
};

// The same, of a triangle of S'WS.
struct OfTriangle {
    const float* triangle;
    float* partial;
    int width, groups;

    __device__ __forceinline__ double operator()(const float* along, bool) const {
        __syncthreads();
        for (int slot = threadIdx.x; slot < groups * width; slot += THREADS) {
            int own = slot % width;
            float sum = 0;
            for (int k = slot / width; k < width; k += groups) {
                sum -= (k <= own ? row_of(triangle, own)[k] : row_of(triangle, k)[own]) * along[k];
            }
            partial[slot] = sum;
        }
        __syncthreads();
        float sum = 0;
        for (int k = threadIdx.x % WARP; k < width; k += WARP) sum -= along[k] * product_of(partial, groups, width, k);
        return sum_of_warp(sum);
    }
};

// Takes at most `steps` from z on, of which `partial` has parts of S'c - S'WS z; returns what is to be added to
// z'S'WS z - 2 z'S'c. z and `partial` are from before a barrier.
template <class Products> __device__ __forceinline__ double take_steps(
    const Products& products, const Metric& metric, int steps, int width, int groups, const float* partial, float* z,
    float* residual, float* along) {
    for (int k = threadIdx.x; k < width; k += THREADS) {
        residual[k] = product_of(partial, groups, width, k) - metric[k] * z[k];
        along[k] = residual[k] / metric[k];
    }
    __syncthreads();
    Sizes sizes = sizes_of(residual, z, metric, width);
    double value = sizes.vector;
    for (int step = 0; step < steps && sizes.residual > EXACT * sizes.vector + NOTHING; step++) {
        bool last = step == steps - 1;
        double curvature = products(along, last);
        float length = sizes.residual / ((float)curvature + length_of(along, metric, width));
        value -= length * sizes.residual;
        for (int k = threadIdx.x; k < width; k += THREADS) z[k] += length * along[k];
        if (last) break;
        for (int k = threadIdx.x; k < width; k += THREADS) {
            residual[k] += length * (product_of(partial, groups, width, k) - metric[k] * along[k]);
        }
        __syncthreads();
        Sizes next = sizes_of(residual, z, metric, width);
        for (int k = threadIdx.x; k < width; k += THREADS) {
            along[k] = residual[k] / metric[k] + next.residual / sizes.residual * along[k];
        }
        sizes = next;
    }
    return value;
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
    float *own = found + (long long)number * width;
    float *z = (float*)shared, *residual = z + width, *along = residual + width;
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
    value += take_steps(OfEntries{row}, metric, steps, width, groups, partial, z, residual, along);
    for (int k = threadIdx.x; k < width; k += THREADS) own[k] = z[k];
    if (threadIdx.x == 0) values[number] = value;
}

// The same of long rows, from the sums over their slices (als_slices.cu). One block for each row of `order`; dynamic shared
// memory: 4 * ((3 + groups) * width + width * (width + 1) / 2) bytes.
//
// firsts: int[rows + 1], the first slice of each row, and of the next ones. slice_values, products, triangles: of these
// slices, from firsts[0] on, as in `Slices`.
extern "C" __global__ void __launch_bounds__(THREADS, 2) improve_shared_rows(
    const int steps, const int* __restrict__ order, const int* __restrict__ firsts,
    const double* __restrict__ slice_values, const float* __restrict__ products, const float* __restrict__ triangles,
    const int width, const float* __restrict__ excess, const float* __restrict__ inverse, const int groups,
    float* __restrict__ found, double* __restrict__ values) {
    int number = order[blockIdx.x], slice = firsts[blockIdx.x] - firsts[0], numbers = width * (width + 1) / 2;
    Slices slices = {slice_values + slice, products + (long long)slice * width,
                     firsts[blockIdx.x + 1] - firsts[blockIdx.x]};
    float *own = found + (long long)number * width;
    float *z = (float*)shared, *residual = z + width, *along = residual + width;
    float *partial = along + width, *triangle = partial + groups * width;
    for (int k = threadIdx.x; k < width; k += THREADS) z[k] = own[k];
    double value = add_slices(slices, width, groups, partial);
    add_triangles(triangles + (long long)slice * numbers, slices.count, numbers, triangle);
    __syncthreads();
    value += take_steps(OfTriangle{triangle, partial, width, groups}, {inverse, excess[number]}, steps, width, groups,
                        partial, z, residual, along);
    for (int k = threadIdx.x; k < width; k += THREADS) own[k] = z[k];
    if (threadIdx.x == 0) values[number] = value;
}
