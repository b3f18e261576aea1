// Explanations of trees that have no pattern tables, leaf by leaf (pipeline/leaf_paths.py), as sums over points of
// Gauss-Legendre quadrature. A thread has a row and a block a share of the leaves, so that all of its threads do the same
// steps whatever the rows; every number has one writer, and sums have a fixed order.
//
// With players j of cover ratio a_j, what a leaf gives to player i is worth * (present_i - a_i) * the integral over t of
// the product over all others of t * present_j + (1 - t) * a_j. A thread has the product over all players at POINTS
// points at a time in registers, and so takes i's own factor out again:
//
//     present:  (1 - a_i) / (t + (1 - t) * a_i),   where the divisor is t at least;
//     absent:   -a_i / ((1 - t) * a_i) = -1 / (1 - t), the same for all, and right where a_i is 0, too.
//
// A block works these gains, and the factors, out once for all of its rows, PLAYERS at a time: a path may have any
// length, and takes no more memory for it. Factors are of one sign, so that float32 loses only a few last digits.
#include "threshold_codes.cuh"

constexpr int THREADS = 256;
constexpr int POINTS = 8;
constexpr int PLAYERS = 32;

extern __shared__ unsigned codes_of_tile[];

// Fills codes, unsigned char[columns, n]. One block for each `tile_rows` rows; dynamic shared memory:
// tile_rows * words * 4.
//
// Up to `words` the matrix and the codes, as in encode_rows.
extern "C" __global__ void __launch_bounds__(THREADS) write_codes(
    const long long* __restrict__ indptr, const int* __restrict__ indices, const float* __restrict__ data,
    const long long n, const int tile_rows,
    const int* __restrict__ columns_of, const unsigned* __restrict__ missing, const int* __restrict__ offsets,
    const int* __restrict__ thresholds, const unsigned char* __restrict__ kept_bits, const int words,
    const int columns, unsigned char* __restrict__ codes) {
    long long first = (long long)blockIdx.x * tile_rows;
    encode_rows(indptr, indices, data, first, n, tile_rows, columns_of, missing, offsets, thresholds, kept_bits, words,
                codes_of_tile);
    int row = threadIdx.x % tile_rows;
    if (first + row >= n) return;
    const unsigned char* own = (const unsigned char*)(codes_of_tile + row * words);
    for (int column = threadIdx.x / tile_rows; column < columns; column += THREADS / tile_rows) {
        codes[column * n + first + row] = own[column];
    }
}

// What players do to a product at POINTS points: their factors, and the gains that take them out; absent, then present.
struct __align__(16) Tile {
    float factors[PLAYERS][2][POINTS];
    float gains[PLAYERS][2][POINTS];
};

// Fills the tile for up to PLAYERS players; the block is done with what was in it.
__device__ __forceinline__ void fill(Tile& tile, const float* __restrict__ absent, int players,
                                     const float4* __restrict__ points) {
    int player = threadIdx.x / POINTS, point = threadIdx.x % POINTS;
    __syncthreads();
    if (player < players) {
        float4 at = points[point];
        float ratio = absent[player], without = at.y * ratio, with = without + at.x;
        tile.factors[player][0][point] = without;
        tile.factors[player][1][point] = with;
        tile.gains[player][0][point] = at.w;
        tile.gains[player][1][point] = (1.0f - ratio) / with;
    }
    __syncthreads();
}

// The players, as bits, of whom the row whose first code is given, and whose codes are n apart, answers a question wrong.
__device__ __forceinline__ unsigned absent_players(const unsigned char* __restrict__ row, long long n,
                                                   const uint2* __restrict__ questions, int first, int last) {
    unsigned absent = 0;
    for (int question = first; question < last; question++) {
        uint2 asked = questions[question];
        unsigned above = row[asked.x * n] - (asked.y & 255u);
        absent |= (unsigned)(above >= (asked.y >> 8 & 511u)) << (asked.y >> 17);
    }
    return absent;
}

// Fills sums, float[segments, n]: what the leaves of a share give to each feature that is on any of their paths.
//
// One block for each share and THREADS rows, the rows' blocks of one share side by side. Share s has the leaves
// first_leaves[s] to [s + 1] and the segments first_segments[s] to [s + 1].
//
// codes: as of write_codes. worth, player_offsets, absent, question_offsets: as in LeafPaths. segments: of each player, the
// one that it is paid in. questions: coded column, and low + 256 * span + 2^17 * the player's number in its leaf modulo
// PLAYERS. points: t, 1 - t, weight and -1 / (1 - t); rule r, of POINTS * r points, stands behind those of fewer.
extern "C" __global__ void __launch_bounds__(THREADS) add_paths(
    const unsigned char* __restrict__ codes, const long long n, const int* __restrict__ first_leaves,
    const int* __restrict__ first_segments, const float* __restrict__ worth, const int* __restrict__ player_offsets,
    const float* __restrict__ absent, const int* __restrict__ segments, const int* __restrict__ question_offsets,
    const uint2* __restrict__ questions, const float4* __restrict__ points, const int row_blocks,
    float* __restrict__ sums) {
    __shared__ Tile tile;
    int share = blockIdx.x / row_blocks;
    long long row = (long long)(blockIdx.x % row_blocks) * THREADS + threadIdx.x;
    bool real = row < n;
    // Beyond the last row that one is read again, since all threads must come to the barriers.
    const unsigned char* own = codes + (real ? row : n - 1);
    for (int segment = first_segments[share]; segment < first_segments[share + 1]; segment++) {
        if (real) sums[segment * n + row] = 0.0f;
    }
    for (int leaf = first_leaves[share]; leaf < first_leaves[share + 1]; leaf++) {
        int start = player_offsets[leaf], end = player_offsets[leaf + 1];
        // A leaf of k players is a polynomial of degree k - 1, for which k / 2 points, rounded up, are exact.
        int rule = (end - start + 2 * POINTS - 1) / (2 * POINTS);
        const float4* at = points + rule * (rule - 1) / 2 * POINTS;
        for (const float4* behind = at + rule * POINTS; at < behind; at += POINTS) {
            float product[POINTS];
            unsigned lost = 0;
#pragma unroll
            for (int point = 0; point < POINTS; point++) product[point] = worth[leaf] * at[point].z;
            for (int first = start; first < end; first += PLAYERS) {
                int players = min(PLAYERS, end - first);
                fill(tile, absent + first, players, at);
                lost = absent_players(own, n, questions, question_offsets[first], question_offsets[first + players]);
                for (int player = 0; player < players; player++) {
                    const float* factors = tile.factors[player][~lost >> player & 1u];
#pragma unroll
                    for (int point = 0; point < POINTS; point++) product[point] *= factors[point];
                }
            }
            // Backwards, since the last tile is still there.
            for (int first = start + (end - start - 1) / PLAYERS * PLAYERS; first >= start; first -= PLAYERS) {
                int players = min(PLAYERS, end - first);
                if (first + players < end) {
                    fill(tile, absent + first, players, at);
                    lost = absent_players(own, n, questions, question_offsets[first], question_offsets[first + players]);
                }
                for (int player = 0; player < players; player++) {
                    const float* gains = tile.gains[player][~lost >> player & 1u];
                    float paid = 0.0f;
#pragma unroll
                    for (int point = 0; point < POINTS; point++) paid += product[point] * gains[point];
                    if (real) sums[segments[first + player] * n + row] += paid;
                }
            }
        }
    }
}
