// Rows of ALS by their normal equations, one block for each, in the coordinates of als_rows.cu: M + S'WS there, with W
// of c - 1, has no eigenvalue below 1 and, without an excess, none above the greatest c. Float32 will do: a triangle,
// its Cholesky factor in the same place, and iterative refinement (Higham 2002, Accuracy and Stability of Numerical
// Algorithms, chapter 12): solutions for what is left of the residual are added until a row is solved, as als_rows.cu
// has it. The first is enough as a rule. The same bits in every run.
#include "als_slices.cuh"

// Adds M to the triangle. Ends with a barrier.
__device__ __forceinline__ void add_metric(const Metric& metric, int width, float* triangle) {
    for (int k = threadIdx.x; k < width; k += THREADS) row_of(triangle, k)[k] += metric[k];
    __syncthreads();
}

// Fills the triangle with M + S'WS. `loaded` says that the tile holds all entries. Starts and ends with a barrier.
__device__ __forceinline__ void assemble(const Entries& row, const Metric& metric, bool loaded, float* triangle) {
    for (int first = 0; first < row.count; first += row.tile_entries) {
        int count = min(row.tile_entries, row.count - first);
        __syncthreads();
        if (!loaded) load(row, first, count);
        set_weights(row, first, count);
        __syncthreads();
        add_squares(row, first, count, triangle);
    }
    __syncthreads();
    add_metric(metric, row.width, triangle);
}

// The Cholesky factor of four rows and columns; 1 / L_kk on its diagonal.
struct Corner {
    float factor[SIDE][SIDE];

    __device__ __forceinline__ Corner(float* triangle, int first) {
        for (int i = 0; i < SIDE; i++) {
            const float* row = row_of(triangle, first + i) + first;
            for (int j = 0; j <= i; j++) factor[i][j] = row[j];
            solve(factor[i], i);
            for (int j = 0; j < i; j++) factor[i][i] -= factor[i][j] * factor[i][j];
            factor[i][i] = 1.0f / sqrtf(factor[i][i]);
        }
    }

    // The first `columns` of a row of L from those of the matrix.
    __device__ __forceinline__ void solve(float* row, int columns) const {
        for (int j = 0; j < columns; j++) {
            for (int l = 0; l < j; l++) row[j] -= row[l] * factor[j][l];
            row[j] *= factor[j][j];
        }
    }

    __device__ __forceinline__ void write(float* triangle, int first) const {
        for (int i = 0; i < SIDE; i++) {
            float* row = row_of(triangle, first + i) + first;
            for (int j = 0; j <= i; j++) row[j] = factor[i][j];
        }
    }
};

// Takes what four columns of L account for, those from `first` on, out of the triangle below and to the right of them.
__device__ __forceinline__ void take_out(float* triangle, int width, int first) {
    int start = first + SIDE;
    for (int down = start + threadIdx.x / ACROSS * SIDE; down < width; down += THREADS / ACROSS * SIDE) {
        for (int across = start + threadIdx.x % ACROSS * SIDE; across <= down; across += ACROSS * SIDE) {
            float sums[SIDE][SIDE] = {};
            for (int l = 0; l < SIDE; l++) {
                float right[SIDE];
                for (int j = 0; j < SIDE; j++) right[j] = row_of(triangle, across + j)[first + l];
                for (int i = 0; i < SIDE; i++) {
                    float left = row_of(triangle, down + i)[first + l];
                    for (int j = 0; j < SIDE; j++) sums[i][j] += left * right[j];
                }
            }
            for (int i = 0; i < SIDE; i++) {
                float* own = row_of(triangle, down + i);
                for (int j = 0; j < SIDE && across + j <= down + i; j++) own[across + j] -= sums[i][j];
            }
        }
    }
}

// The Cholesky factor in the triangle's place, four columns at a time; 1 / L_kk on its diagonal. Ends with a barrier.
__device__ __forceinline__ void factorise(float* triangle, int width) {
    for (int first = 0; first < width; first += SIDE) {
        // Each thread has the corner for itself. It is written when all have read it, and nobody reads it then.
        Corner corner(triangle, first);
        for (int k = first + SIDE + threadIdx.x; k < width; k += THREADS) {
            float* row = row_of(triangle, k) + first;
            float own[SIDE] = {row[0], row[1], row[2], row[3]};
            corner.solve(own, SIDE);
            for (int j = 0; j < SIDE; j++) row[j] = own[j];
        }
        __syncthreads();
        if (threadIdx.x == 0) corner.write(triangle, first);
        take_out(triangle, width, first);
        __syncthreads();
    }
}

// Solves LL'x = `vector`, in its place, four numbers at a time; `half` is overwritten. Starts and ends with a barrier.
__device__ __forceinline__ void solve(float* triangle, int width, float* vector, float* half) {
    for (int first = 0; first < width; first += SIDE) {
        __syncthreads();
        float own[SIDE];
        for (int j = 0; j < SIDE; j++) {
            const float* row = row_of(triangle, first + j) + first;
            own[j] = vector[first + j];
            for (int l = 0; l < j; l++) own[j] -= row[l] * own[l];
            own[j] *= row[j];
            if (threadIdx.x == 0) half[first + j] = own[j];
        }
        for (int k = first + SIDE + threadIdx.x; k < width; k += THREADS) {
            const float* row = row_of(triangle, k) + first;
            float sum = 0;
            for (int j = 0; j < SIDE; j++) sum += row[j] * own[j];
            vector[k] -= sum;
        }
    }
    for (int first = width - SIDE; first >= 0; first -= SIDE) {
        __syncthreads();
        float own[SIDE];
        for (int j = SIDE - 1; j >= 0; j--) {
            own[j] = half[first + j];
            for (int l = j + 1; l < SIDE; l++) own[j] -= row_of(triangle, first + l)[first + j] * own[l];
            own[j] *= row_of(triangle, first + j)[first + j];
            if (threadIdx.x == 0) vector[first + j] = own[j];
        }
        for (int k = threadIdx.x; k < first; k += THREADS) {
            float sum = 0;
            for (int j = 0; j < SIDE; j++) sum += row_of(triangle, first + j)[k] * own[j];
            half[k] -= sum;
        }
    }
    __syncthreads();
}

// Solves a row from `own` on, float[width], by at most `steps` solutions; returns z'(M + S'WS)z - 2 z'S'c to every
// thread.
__device__ __forceinline__ double solve_row(const Entries& row, const Metric& metric, int steps, float* own,
                                            float* triangle, float* vectors) {
    float *z = vectors, *residual = z + row.width, *half = residual + row.width;
    for (int k = threadIdx.x; k < row.width; k += THREADS) z[k] = own[k];
    for (int step = 0;; step++) {
        bool loaded = step > 0 && row.count <= row.tile_entries;
        double value = add_products(row, z, 1.0f, loaded, true);
        for (int k = threadIdx.x; k < row.width; k += THREADS) {
            residual[k] = product_of(row.partial, row.groups, row.width, k) - metric[k] * z[k];
        }
        __syncthreads();
        Sizes sizes = sizes_of(residual, z, metric, row.width);
        if (step == steps || sizes.residual <= EXACT * sizes.vector + NOTHING) {
            for (int k = threadIdx.x; k < row.width; k += THREADS) own[k] = z[k];
            return value + sizes.vector;
        }
        if (step == 0) {
            assemble(row, metric, row.count <= row.tile_entries, triangle);
            factorise(triangle, row.width);
        }
        solve(triangle, row.width, residual, half);
        for (int k = threadIdx.x; k < row.width; k += THREADS) z[k] += residual[k];
    }
}

// What the kernels below do for the block's row.
__device__ __forceinline__ void solve_block(int steps, int number, const long long* pointers, const int* items,
                                            const float* strengths, float alpha, const float* vectors, int width,
                                            const float* excess, const float* inverse, int tile_entries, int stride,
                                            int groups, float* found, double* values, float* triangle) {
    long long start = pointers[number];
    float *own = found + (long long)number * width, *tile = (float*)shared, *z = tile + tile_entries * stride;
    float *partial = z + 3 * width, *weights = partial + groups * width;
    Entries row = {items + start, strengths + start, vectors, alpha, (int)(pointers[number + 1] - start), width,
                   tile_entries, stride, groups, tile, weights, partial};
    double value = 0;
    if (row.count == 0) {
        for (int k = threadIdx.x; k < width; k += THREADS) own[k] = 0;
    } else {
        value = solve_row(row, {inverse, excess[number]}, steps, own, triangle, z);
    }
    if (threadIdx.x == 0) values[number] = value;
}

// Solves the rows of `found`, float[rows, width], from what it holds, each by at most `steps` solutions. One block for
// each row, in the order of `order`; dynamic shared memory: 4 bytes for each of (3 + groups) * width, of
// tile_entries * (stride + 1) and of the triangle's width * (width + 1) / 2 numbers. The width is a multiple of 4.
//
// The arguments are those of improve_rows in als_rows.cu.
extern "C" __global__ void __launch_bounds__(THREADS, 2) solve_rows(
    const int steps, const int* __restrict__ order, const long long* __restrict__ pointers,
    const int* __restrict__ items, const float* __restrict__ strengths, const float alpha,
    const float* __restrict__ vectors, const int width, const float* __restrict__ excess,
    const float* __restrict__ inverse, const int tile_entries, const int stride, const int groups,
    float* __restrict__ found, double* __restrict__ values) {
    float* triangle = (float*)shared + (3 + groups) * width + tile_entries * (stride + 1);
    solve_block(steps, order[blockIdx.x], pointers, items, strengths, alpha, vectors, width, excess, inverse,
                tile_entries, stride, groups, found, values, triangle);
}

// The same, of rows whose triangle does not fit into shared memory. triangles: one for each block.
extern "C" __global__ void __launch_bounds__(THREADS, 2) solve_wide_rows(
    const int steps, const int* __restrict__ order, const long long* __restrict__ pointers,
    const int* __restrict__ items, const float* __restrict__ strengths, const float alpha,
    const float* __restrict__ vectors, const int width, const float* __restrict__ excess,
    const float* __restrict__ inverse, const int tile_entries, const int stride, const int groups,
    float* __restrict__ found, double* __restrict__ values, float* __restrict__ triangles) {
    float* triangle = triangles + (long long)blockIdx.x * (width * (width + 1) / 2);
    solve_block(steps, order[blockIdx.x], pointers, items, strengths, alpha, vectors, width, excess, inverse,
                tile_entries, stride, groups, found, values, triangle);
}

// A solution more of long rows, from the sums over their slices (als_slices.cu). One block for each row of `order`; dynamic
// shared memory: 4 * ((3 + groups) * width + width * (width + 1) / 2) bytes.
//
// solutions: that the rows have had, of `most`. firsts, slice_values, products, triangles: as in improve_shared_rows; where
// a row's first triangle lies its Cholesky factor is kept for the next time. solved: int[rows], out: that a row's vector and
// value are the answer; then nothing happens the next time.
extern "C" __global__ void __launch_bounds__(THREADS, 2) solve_shared_rows(
    const int solutions, const int most, int* __restrict__ solved, const int* __restrict__ order,
    const int* __restrict__ firsts, const double* __restrict__ slice_values, const float* __restrict__ products,
    float* __restrict__ triangles, const int width, const float* __restrict__ excess,
    const float* __restrict__ inverse, const int groups, float* __restrict__ found, double* __restrict__ values) {
    if (solutions > 0 && solved[blockIdx.x]) return;
    int number = order[blockIdx.x], slice = firsts[blockIdx.x] - firsts[0], numbers = width * (width + 1) / 2;
    Slices slices = {slice_values + slice, products + (long long)slice * width,
                     firsts[blockIdx.x + 1] - firsts[blockIdx.x]};
    Metric metric = {inverse, excess[number]};
    float *own = found + (long long)number * width, *kept = triangles + (long long)slice * numbers;
    float *z = (float*)shared, *residual = z + width, *half = residual + width;
    float *partial = half + width, *triangle = partial + groups * width;
    for (int k = threadIdx.x; k < width; k += THREADS) z[k] = own[k];
    double value = add_slices(slices, width, groups, partial);
    __syncthreads();
    for (int k = threadIdx.x; k < width; k += THREADS) {
        residual[k] = product_of(partial, groups, width, k) - metric[k] * z[k];
    }
    __syncthreads();
    Sizes sizes = sizes_of(residual, z, metric, width);
    bool done = solutions == most || sizes.residual <= EXACT * sizes.vector + NOTHING;
    if (threadIdx.x == 0) {
        solved[blockIdx.x] = done;
        values[number] = value + sizes.vector;
    }
    if (done) return;
    if (solutions == 0) {
        add_triangles(kept, slices.count, numbers, triangle);
        __syncthreads();
        add_metric(metric, width, triangle);
        factorise(triangle, width);
    } else {
        for (int at = threadIdx.x; at < numbers; at += THREADS) triangle[at] = kept[at];
    }
    solve(triangle, width, residual, half);
    for (int k = threadIdx.x; k < width; k += THREADS) own[k] = z[k] + residual[k];
    for (int at = threadIdx.x; solutions == 0 && at < numbers; at += THREADS) kept[at] = triangle[at];
}
