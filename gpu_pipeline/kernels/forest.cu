// Scores of a forest from 8-bit codes: a block encodes a tile of rows into shared memory, then each of its threads walks
// one row down a share of the trees. One writer for each score, sums in a fixed order: the same bits in every run.
#include "threshold_codes.cuh"

constexpr int THREADS = 256;

extern __shared__ unsigned codes[];

// Position of the leaf that a row reaches in `depth` steps; a leaf goes right to itself.
__device__ __forceinline__ unsigned leaf_of(const unsigned char* row, const uint2* __restrict__ nodes, unsigned root,
                                            unsigned depth) {
    unsigned node = root;
    for (unsigned step = 0; step < depth; step++) {
        uint2 split = nodes[node];
        node = split.y + (row[split.x >> 8] >= (split.x & 255u));
    }
    return node;
}

// Fills margins, float[n, outputs]. One block for each `tile_rows` rows; dynamic shared memory: tile_rows * words * 4.
//
// Up to `words` the matrix and the codes, as in encode_rows; trees, nodes, leaf_value: as in pipeline/walked_forest.py,
// trees by output: those of output k are first_trees[k] to first_trees[k + 1]. base_margin: double[outputs].
extern "C" __global__ void __launch_bounds__(THREADS) score_rows(
    const long long* __restrict__ indptr, const int* __restrict__ indices, const float* __restrict__ data,
    const long long n, const int tile_rows,
    const int* __restrict__ columns_of, const unsigned* __restrict__ missing, const int* __restrict__ offsets,
    const int* __restrict__ thresholds, const unsigned char* __restrict__ kept_bits, const int words,
    const unsigned* __restrict__ trees, const int* __restrict__ first_trees, const uint2* __restrict__ nodes,
    const float* __restrict__ leaf_value, const double* __restrict__ base_margin, const int outputs,
    float* __restrict__ margins) {
    __shared__ double sums[THREADS];
    long long first = (long long)blockIdx.x * tile_rows;
    encode_rows(indptr, indices, data, first, n, tile_rows, columns_of, missing, offsets, thresholds, kept_bits, words,
                codes);
    int row = threadIdx.x % tile_rows, share = threadIdx.x / tile_rows, shares = THREADS / tile_rows;
    const unsigned char* own = (const unsigned char*)(codes + row * words);
    for (int output = 0; output < outputs; output++) {
        double sum = 0;
        for (int tree = first_trees[output] + share; tree < first_trees[output + 1]; tree += shares) {
            sum += leaf_value[leaf_of(own, nodes, trees[3 * tree], trees[3 * tree + 1])];
        }
        sums[threadIdx.x] = sum;
        __syncthreads();
        if (share == 0 && first + row < n) {
            double margin = base_margin[output];
            for (int other = 0; other < shares; other++) margin += sums[other * tile_rows + row];
            margins[(first + row) * outputs + output] = (float)margin;
        }
        __syncthreads();
    }
}
