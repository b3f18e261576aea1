// Rows of ALS by conjugate gradients, one block for each: what cpu_pipeline/kernels/conjugate_gradients.py does, in the
// same coordinates. The same bits in every run.
#include "als_entries.cuh"

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
