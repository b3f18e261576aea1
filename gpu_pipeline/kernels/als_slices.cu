// Long rows of ALS: one block for each slice of a row's entries, so that no block has all entries of a row to itself. What
// the slices of a row come to is added in order by the block that then solves it. The same bits in every run.
#include "als_triangle.cuh"

// Fills slice_values, products and triangles of the slices, as `Slices` has them (als_slices.cuh). One block for each slice
// of the rows in `order`; dynamic shared memory: 4 bytes for each of (3 + groups) * width, of tile_entries * (stride + 1)
// and of the triangle's width * (width + 1) / 2 numbers. The width is a multiple of 4.
//
// solutions: that the rows have had. After the first one the triangles stay as they are, and rows of which `solved`,
// int[rows], holds are left out. firsts: int[rows + 1], the first slice of each row, and of the next ones. owners:
// int[slices], the number of each one's row. Both count from anywhere. found: float[rows, width], z. The others are those
// of improve_rows in als_rows.cu.
extern "C" __global__ void __launch_bounds__(THREADS, 4) sum_slices(
    const int solutions, const int* __restrict__ solved, const int* __restrict__ order, const int* __restrict__ firsts,
    const int* __restrict__ owners, const long long* __restrict__ pointers, const int* __restrict__ items,
    const float* __restrict__ strengths, const float alpha, const float* __restrict__ vectors, const int width,
    const int tile_entries, const int stride, const int groups, const float* __restrict__ found,
    double* __restrict__ slice_values, float* __restrict__ products, float* __restrict__ triangles) {
    int place = owners[blockIdx.x] - owners[0];
    if (solutions > 0 && solved[place]) return;
    int number = order[place], slice = firsts[0] + blockIdx.x - firsts[place], slices = firsts[place + 1] - firsts[place];
    long long length = pointers[number + 1] - pointers[number], begin = length * slice / slices;
    long long start = pointers[number] + begin;
    int entries = (int)(length * (slice + 1) / slices - begin), numbers = width * (width + 1) / 2;
    float *tile = (float*)shared, *z = tile + tile_entries * stride;
    float *partial = z + 3 * width, *weights = partial + groups * width, *triangle = weights + tile_entries;
    Entries part = {items + start, strengths + start, vectors, alpha, entries, width,
                    tile_entries, stride, groups, tile, weights, partial};
    for (int k = threadIdx.x; k < width; k += THREADS) z[k] = found[(long long)number * width + k];
    for (int slot = threadIdx.x; slot < groups * width; slot += THREADS) partial[slot] = 0;
    double value = 0;
    for (int first = 0; first < part.count; first += tile_entries) {
        int count = min(tile_entries, part.count - first);
        __syncthreads();
        load(part, first, count);
        __syncthreads();
        value += weigh(part, z, 1.0f, first, count);
        __syncthreads();
        add_columns(part, count);
        if (solutions > 0) continue;
        __syncthreads();
        set_weights(part, first, count);
        __syncthreads();
        add_squares(part, first, count, triangle);
    }
    value = sum_of_block(value);
    if (threadIdx.x == 0) slice_values[blockIdx.x] = value;
    for (int k = threadIdx.x; k < width; k += THREADS) {
        products[(long long)blockIdx.x * width + k] = product_of(partial, groups, width, k);
    }
    for (int at = threadIdx.x; solutions == 0 && at < numbers; at += THREADS) {
        triangles[(long long)blockIdx.x * numbers + at] = triangle[at];
    }
}
