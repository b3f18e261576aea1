// The k best items of each user from approximate scores, one block for each user; lists are exact.
//
// The greatest scores of disjoint strands of items: the k-th best of them is no more than the k-th best score of all, and
// takes one pass to find. What is not below it by more than the rounding is scored again in float64, and put into its
// place by counting what is better. So it does not matter in which order the atomics below gather the candidates.
#include "ordered.cuh"

constexpr int THREADS = 256;
constexpr int ROUND = 512;  // items looked at between two barriers
constexpr int HIDDEN = -2139095040;  // -inf, `ordered`

extern __shared__ double scratch[];

// A user's candidates: `items` and what is settled of them, `kept`, change places.
struct Candidates {
    const float* user;
    const float* vectors;
    int factors, k;
    double* scores;
    int *items, *kept;
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

// Fills maxima, int[strands]: the greatest of each strand, scores s, s + strands, ... of strand s, as `ordered`.
__device__ __forceinline__ void find_maxima(const float* scores, int m, int strands, int* maxima) {
    for (int strand = threadIdx.x; strand < strands; strand += THREADS) {
        int greatest = HIDDEN;
        for (int item = strand; item < m; item += strands) greatest = max(greatest, ordered(scores[item]));
        maxima[strand] = greatest;
    }
}

// The least place of what is not hidden, and not below the number at `place` by more than a margin.
__device__ __forceinline__ int lowest(int place, double margin) {
    float limit = (float)((double)number_of(place) - margin);
    return max(ordered(limit) - 1, HIDDEN + 1);  // it may have been rounded up
}

// Scores `count` candidates as the definition says, and moves the best k of them, in order, to `kept`.
__device__ __forceinline__ void settle(const Candidates& found, int count) {
    for (int at = threadIdx.x; at < count; at += THREADS) {
        const float* vector = found.vectors + (long long)found.items[at] * found.factors;
        double sum = 0;
        for (int factor = 0; factor < found.factors; factor++) {
            sum += widened(found.user[factor]) * widened(vector[factor]);  // a product is exact, fused or not
        }
        found.scores[at] = sum;
    }
    __syncthreads();
    for (int at = threadIdx.x; at < count; at += THREADS) {
        double score = found.scores[at];
        int item = found.items[at], better = 0;
        for (int other = 0; other < count; other++) {
            double its = found.scores[other];
            better += its > score || (its == score && found.items[other] < item);
        }
        if (better < found.k) found.kept[better] = item;
    }
    __syncthreads();
}

// Fills lists, int[n, k]: items by rank, -1 where a list has ended. One block for each of the n users; dynamic shared
// memory: 16 * (k + 2 * ROUND) + 4 * strands bytes.
//
// scores: float[n, m], approximate; hidden ones are -inf. margins: double[n], twice what a score can be off. users, items:
// float[n, factors] and float[m, factors], which scores are defined by. strands: no less than k.
extern "C" __global__ void __launch_bounds__(THREADS) select_best(
    const float* __restrict__ scores, const int m, const double* __restrict__ margins,
    const float* __restrict__ users, const float* __restrict__ items, const int factors, const int k,
    const int strands, int* __restrict__ lists) {
    __shared__ int least, count;
    const float* own = scores + (long long)blockIdx.x * m;
    int room = k + 2 * ROUND, *buffer = (int*)(scratch + room), *maxima = buffer + 2 * room;
    find_maxima(own, m, strands, maxima);
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
    for (int strand = threadIdx.x; strand < strands; strand += THREADS) {
        int greatest = maxima[strand], better = 0;
        for (int other = 0; other < strands; other++) {
            better += maxima[other] > greatest || (maxima[other] == greatest && other < strand);
        }
        if (better == k - 1) least = lowest(greatest, margins[blockIdx.x]);
    }
    __syncthreads();
    Candidates found = {users + (long long)blockIdx.x * factors, items, factors, k, scratch, buffer, buffer + room};
    int held = 0;
    for (int first = 0; first < m; first += ROUND) {
        if (held > k + ROUND) {  // no room for a round: far more than k are as good, by the bound
            settle(found, held);
            int* settled = found.kept;
            found.kept = found.items;
            found.items = settled;
            if (threadIdx.x == 0) count = k;
            __syncthreads();
        }
        for (int item = first + threadIdx.x; item < min(first + ROUND, m); item += THREADS) {
            if (ordered(own[item]) >= least) found.items[atomicAdd(&count, 1)] = item;
        }
        __syncthreads();
        held = count;
        __syncthreads();
    }
    settle(found, held);
    int* list = lists + (long long)blockIdx.x * k;
    for (int place = threadIdx.x; place < k; place += THREADS) list[place] = place < held ? found.kept[place] : -1;
}
