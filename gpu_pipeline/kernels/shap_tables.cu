// The look-ups of pipeline/shap_tables.py in three steps: the rows' patterns; for each feature the sum of its columns of
// the tables, segment by segment; and the rows of the answer. Every number has one writer, and sums have a fixed order.
#include "threshold_codes.cuh"

constexpr int THREADS = 256;
constexpr int ROWS_OF_A_THREAD = 8;
constexpr int TABLE_ENTRIES = 4096;
constexpr int TILE = 32;

extern __shared__ unsigned codes[];

// Fills patterns, unsigned short[groups, n]. One block for each `tile_rows` rows; dynamic shared memory:
// tile_rows * words * 4.
//
// Up to `words` the matrix and the codes, as in encode_rows. Group g has the questions question_offsets[g] to [g + 1], from
// bit 0 on: coded column * 256 + rank. flipped: its bits where going left is 1.
extern "C" __global__ void __launch_bounds__(THREADS) find_patterns(
    const long long* __restrict__ indptr, const int* __restrict__ indices, const float* __restrict__ data,
    const long long n, const int tile_rows,
    const int* __restrict__ columns_of, const unsigned* __restrict__ missing, const int* __restrict__ offsets,
    const int* __restrict__ thresholds, const unsigned char* __restrict__ kept_bits, const int words,
    const int* __restrict__ question_offsets, const unsigned* __restrict__ questions,
    const unsigned short* __restrict__ flipped, const int groups, unsigned short* __restrict__ patterns) {
    long long first = (long long)blockIdx.x * tile_rows;
    encode_rows(indptr, indices, data, first, n, tile_rows, columns_of, missing, offsets, thresholds, kept_bits, words,
                codes);
    int row = threadIdx.x % tile_rows, share = threadIdx.x / tile_rows, shares = THREADS / tile_rows;
    if (first + row >= n) return;
    const unsigned char* own = (const unsigned char*)(codes + row * words);
    for (int group = share; group < groups; group += shares) {
        unsigned pattern = flipped[group];
        int start = question_offsets[group], end = question_offsets[group + 1];
        for (int question = start; question < end; question++) {
            unsigned asked = questions[question];
            pattern ^= (unsigned)(own[asked >> 8] >= (asked & 255u)) << (question - start);
        }
        patterns[group * n + first + row] = (unsigned short)pattern;
    }
}

// Fills sums, float[segments, n]: of each segment, a run of columns of one feature, the sum of its look-ups.
//
// One block for each segment and THREADS * ROWS_OF_A_THREAD rows, the rows' blocks of one segment side by side. A block
// takes as many columns into shared memory as it holds, and looks all of its rows up in them.
//
// columns: group * 16 + bits of the group, of each column; a segment s has columns segment_offsets[s] to [s + 1], whose
// values, 2^bits each, stand one behind the other from value_offsets[s] on.
extern "C" __global__ void __launch_bounds__(THREADS) add_columns(
    const unsigned short* __restrict__ patterns, const long long n, const int* __restrict__ segment_offsets,
    const long long* __restrict__ value_offsets, const unsigned* __restrict__ columns, const float* __restrict__ values,
    const int row_blocks, float* __restrict__ sums) {
    __shared__ float table[TABLE_ENTRIES];
    int segment = blockIdx.x / row_blocks;
    long long first = (long long)(blockIdx.x % row_blocks) * (THREADS * ROWS_OF_A_THREAD) + threadIdx.x;
    const float* next = values + value_offsets[segment];
    float own[ROWS_OF_A_THREAD] = {};
    int column = segment_offsets[segment], last = segment_offsets[segment + 1];
    while (column < last) {
        int end = column, entries = 0;
        while (end < last && entries + (1 << (columns[end] & 15u)) <= TABLE_ENTRIES) entries += 1 << (columns[end++] & 15u);
        for (int entry = threadIdx.x; entry < entries; entry += THREADS) table[entry] = next[entry];
        __syncthreads();
        const float* looked_up = table;
        for (; column < end; column++) {
            const unsigned short* of_rows = patterns + (columns[column] >> 4) * n;
#pragma unroll
            for (int k = 0; k < ROWS_OF_A_THREAD; k++) {
                long long row = first + k * THREADS;
                if (row < n) own[k] += looked_up[of_rows[row]];
            }
            looked_up += 1 << (columns[column] & 15u);
        }
        next += entries;
        __syncthreads();
    }
#pragma unroll
    for (int k = 0; k < ROWS_OF_A_THREAD; k++) {
        long long row = first + k * THREADS;
        if (row < n) sums[segment * n + row] = own[k];
    }
}

// Fills the columns first_column to first_column + features of answer, float[n, width]: the features' sums and the bias.
//
// One block of THREADS for TILE rows and TILE columns, turned in shared memory so that both sides are read and written in
// runs. A feature f has the segments that `segments` lists from feature_offsets[f] to [f + 1].
extern "C" __global__ void __launch_bounds__(THREADS) write_rows(
    const float* __restrict__ sums, const long long n, const int* __restrict__ feature_offsets,
    const int* __restrict__ segments, const int features, const float bias, const int first_column, const int width, float* __restrict__ answer) {
    __shared__ float turned[TILE][TILE + 1];
    int across = threadIdx.x % TILE, down = threadIdx.x / TILE;
    long long first_row = (long long)blockIdx.x * TILE;
    int first_feature = blockIdx.y * TILE;
    long long row = first_row + across;
    for (int k = down; k < TILE; k += THREADS / TILE) {
        int feature = first_feature + k;
        double sum = feature == features ? bias : 0.0f;
        if (feature < features && row < n) {
            for (int place = feature_offsets[feature]; place < feature_offsets[feature + 1]; place++) {
                sum += sums[segments[place] * n + row];
            }
        }
        turned[k][across] = (float)sum;
    }
    __syncthreads();
    int feature = first_feature + across;
    for (int k = down; k < TILE; k += THREADS / TILE) {
        if (first_row + k < n && feature <= features) {
            answer[(first_row + k) * width + first_column + feature] = turned[across][k];
        }
    }
}
