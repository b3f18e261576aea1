// The k greatest of each row, one block for each row: of a user's items by approximate scores, so that lists are exact, or
// of columns by the size of what they hold.
//
// The greatest of disjoint strands of a row: the k-th best of them is no more than the k-th best of all, and takes one pass
// to find. What is not below it (by more than the rounding, of scores, which are then computed again in float64) is put
// into its place by counting what is better. So it does not matter in which order the atomics below gather candidates.
#include "ordered.cuh"

constexpr int THREADS = 256;
constexpr int ROUND = 512;  // columns looked at between two barriers
constexpr int HIDDEN = -2139095040;  // -inf, `ordered`

extern __shared__ double scratch[];

// What a user's items are chosen by: the product of float vectors in float64. Approximate ones tell who may be chosen;
// `margin` is twice what they can be off.
struct Products {
    const float *approximate, *user, *vectors;
    int factors;
    double margin;

    __device__ __forceinline__ int place(int item) const { return ordered(approximate[item]); }

    // The least place of what is not hidden, and not below the number at `other` by more than the margin.
    __device__ __forceinline__ int least(int other) const {
        float limit = (float)((double)number_of(other) - margin);
        return max(ordered(limit) - 1, HIDDEN + 1);  // it may have been rounded up
    }

    __device__ __forceinline__ double exact(int item) const {
        const float* vector = vectors + (long long)item * factors;
        double sum = 0;
        for (int factor = 0; factor < factors; factor++) {
            sum += widened(user[factor]) * widened(vector[factor]);  // a product is exact, fused or not
        }
        return sum;
    }

    __device__ __forceinline__ float told(int, double score) const { return score; }
};

// What columns are chosen by: the size of a float, as an integer of the same order.
struct Sizes {
    const float* values;

    __device__ __forceinline__ int place(int column) const { return __float_as_int(values[column]) & 0x7fffffff; }

    __device__ __forceinline__ int least(int other) const { return other; }

    __device__ __forceinline__ double exact(int column) const { return place(column); }

    __device__ __forceinline__ float told(int column, double) const { return values[column]; }
};

// A row's candidates: `columns` and what is settled of them, `kept`, change places; `told` is of a row of the answer.
struct Candidates {
    double* scores;
    int *columns, *kept;
    float* told;
};

// Hides a user's own items and those barred for all: scores of -inf. One block for each of the users, float[users, m].
//
// pointers, owned: the users' rows of a CSR matrix. barred: none twice.
extern "C" __global__ void __launch_bounds__(THREADS) hide_items(
    const long long* __restrict__ pointers, const int* __restrict__ owned, const int* __restrict__ barred,
    const int barred_count, const int m, float* __restrict__ scores) {
    const float nothing = number_of(HIDDEN);
    float* own = scores + (long long)blockIdx.x * m;
    for (int at = threadIdx.x; at < barred_count; at += THREADS) own[barred[at]] = nothing;
    __syncthreads();
    long long last = pointers[blockIdx.x + 1];
    for (long long at = pointers[blockIdx.x] + threadIdx.x; at < last; at += THREADS) own[owned[at]] = nothing;
}

// Fills maxima, int[strands]: the greatest place of each strand, columns s, s + strands, ... of strand s.
template <class By> __device__ __forceinline__ void find_maxima(const By& by, int m, int strands, int* maxima) {
    for (int strand = threadIdx.x; strand < strands; strand += THREADS) {
        int greatest = HIDDEN;
        for (int column = strand; column < m; column += strands) greatest = max(greatest, by.place(column));
        maxima[strand] = greatest;
    }
}

// Scores `count` candidates, and moves the best k of them, in order, to `kept`, and what is told of them to the answer.
template <class By> __device__ __forceinline__ void settle(const By& by, int k, const Candidates& found, int count) {
    for (int at = threadIdx.x; at < count; at += THREADS) found.scores[at] = by.exact(found.columns[at]);
    __syncthreads();
    for (int at = threadIdx.x; at < count; at += THREADS) {
        double score = found.scores[at];
        int column = found.columns[at], better = 0;
        for (int other = 0; other < count; other++) {
            double its = found.scores[other];
            better += its > score || (its == score && found.columns[other] < column);
        }
        if (better < k) {
            found.kept[better] = column;
            found.told[better] = by.told(column, score);
        }
    }
    __syncthreads();
}

// Fills a block's row of lists and told, int[n, width] and float[n, width]: the k greatest of m columns by rank, equal ones
// by number; -1 and -inf where the list has ended, and from k on. Dynamic shared memory: 16 * (k + 2 * ROUND) +
// 4 * strands bytes. strands: no less than k.
template <class By> __device__ __forceinline__ void select(const By& by, const int m, const int k, const int strands,
                                                           const int width, int* lists, float* told) {
    __shared__ int least, count;
    int room = k + 2 * ROUND, *buffer = (int*)(scratch + room), *maxima = buffer + 2 * room;
    find_maxima(by, m, strands, maxima);
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
    for (int strand = threadIdx.x; strand < strands; strand += THREADS) {
        int greatest = maxima[strand], better = 0;
        for (int other = 0; other < strands; other++) {
            better += maxima[other] > greatest || (maxima[other] == greatest && other < strand);
        }
        if (better == k - 1) least = by.least(greatest);
    }
    __syncthreads();
    Candidates found = {scratch, buffer, buffer + room, told + (long long)blockIdx.x * width};
    int held = 0;
    bool settled_once = false;
    double last = 0;  // the k-th then: an equal one comes after it, since its number is higher
    for (int first = 0; first < m; first += ROUND) {
        if (held > k + ROUND) {  // no room for a round: far more than k are as good, by the bound
            settle(by, k, found, held);
            int* settled = found.kept;
            found.kept = found.columns;
            found.columns = settled;
            settled_once = true, last = by.exact(settled[k - 1]);
            if (threadIdx.x == 0) count = k;
            __syncthreads();
        }
        for (int column = first + threadIdx.x; column < min(first + ROUND, m); column += THREADS) {
            if (by.place(column) < least || (settled_once && by.exact(column) <= last)) continue;
            found.columns[atomicAdd(&count, 1)] = column;
        }
        __syncthreads();
        held = count;
        __syncthreads();
    }
    settle(by, k, found, held);
    int* list = lists + (long long)blockIdx.x * width;
    for (int place = threadIdx.x; place < width; place += THREADS) {
        bool filled = place < held;  // no more than k, where the answer is wider
        list[place] = filled ? found.kept[place] : -1;
        if (!filled) found.told[place] = number_of(HIDDEN);
    }
}

// Fills lists and told, as `select`: items and their scores. One block for each of the n users.
//
// scores: float[n, m], approximate; hidden ones are -inf. margins: double[n], twice what a score can be off. users, items:
// float[n, factors] and float[m, factors], which scores are defined by.
extern "C" __global__ void __launch_bounds__(THREADS) select_best(
    const float* __restrict__ scores, const int m, const double* __restrict__ margins,
    const float* __restrict__ users, const float* __restrict__ items, const int factors, const int k,
    const int strands, const int width, int* __restrict__ lists, float* __restrict__ told) {
    const float *own = scores + (long long)blockIdx.x * m, *user = users + (long long)blockIdx.x * factors;
    Products products = {own, user, items, factors, margins[blockIdx.x]};
    select(products, m, k, strands, width, lists, told);
}

// Fills lists and told, as `select` with width = k: columns and their values, float[n, m], by size. One block for each row.
extern "C" __global__ void __launch_bounds__(THREADS) select_largest(
    const float* __restrict__ values, const int m, const int k, const int strands, int* __restrict__ lists,
    float* __restrict__ told) {
    Sizes sizes = {values + (long long)blockIdx.x * m};
    select(sizes, m, k, strands, k, lists, told);
}
