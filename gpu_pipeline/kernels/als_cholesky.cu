// Rows of ALS by their normal equations, one block for each, in the coordinates of als_rows.cu: M + S'WS there, with W
// of c - 1, has no eigenvalue below 1 and, without an excess, none above the greatest c. Float32 will do: a triangle,
// its Cholesky factor in the same place, and iterative refinement (Higham 2002, Accuracy and Stability of Numerical
// Algorithms, chapter 12): solutions for what is left of the residual are added until a row is solved, as als_rows.cu
// has it. The first is enough as a rule. The same bits in every run.
#include "als_entries.cuh"

constexpr int SIDE = 4;     // of a square of the triangle, which a thread takes at a time
constexpr int ACROSS = 16;  // threads of a block side by side, each of 16 rows of them

// Of the lower triangle, whose rows lie one behind the other.
__device__ __forceinline__ float* row_of(float* triangle, int row) { return triangle + row * (row + 1) / 2; }

// Four numbers one behind the other that begin at a multiple of 16 bytes.
__device__ __forceinline__ void four(const float* from, float (&numbers)[SIDE]) {
    float4 read = *(const float4*)from;
    numbers[0] = read.x, numbers[1] = read.y, numbers[2] = read.z, numbers[3] = read.w;
}

// Fills the triangle with M + S'WS. `loaded` says that the tile holds all entries. Starts and ends with a barrier.
__device__ __forceinline__ void assemble(const Entries& row, const Metric& metric, bool loaded, float* triangle) {
    for (int first = 0; first < row.count; first += row.tile_entries) {
        int count = min(row.tile_entries, row.count - first);
        __syncthreads();
        if (!loaded) load(row, first, count);
        for (int entry = threadIdx.x; entry < count; entry += THREADS) {
            row.weights[entry] = row.alpha * row.strengths[first + entry];
        }
        __syncthreads();
        for (int down = threadIdx.x / ACROSS * SIDE; down < row.width; down += THREADS / ACROSS * SIDE) {
            for (int across = threadIdx.x % ACROSS * SIDE; across <= down; across += ACROSS * SIDE) {
                float sums[SIDE][SIDE] = {};
                for (int entry = 0; entry < count; entry++) {
                    const float* vector = row.tile + entry * row.stride;
                    float weight = row.weights[entry], left[SIDE], right[SIDE];
                    four(vector + down, left);
                    four(vector + across, right);
                    for (int i = 0; i < SIDE; i++) {
                        for (int j = 0; j < SIDE; j++) sums[i][j] += weight * left[i] * right[j];
                    }
                }
                for (int i = 0; i < SIDE; i++) {
                    float* own = row_of(triangle, down + i);
                    for (int j = 0; j < SIDE && across + j <= down + i; j++) {
                        float before = first > 0 ? own[across + j] : across + j == down + i ? metric[down + i] : 0.0f;
                        own[across + j] = before + sums[i][j];
                    }
                }
            }
        }
    }
    __syncthreads();
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
        for (int k = threadIdx.x; k < row.width; k += THREADS) residual[k] = product_of(row, k) - metric[k] * z[k];
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
