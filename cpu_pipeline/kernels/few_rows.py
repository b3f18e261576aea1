"""One row after the other through a forest, in the least time: the answers to all questions, then a walk by them.

A *question* is a threshold of a coded column (`technobench.pipeline.threshold_codes`), or a categorical column;
``answers`` has a byte for each, the thresholds' first, 1 where the row goes right; a last one, 0, is asked by leaves.

Of a single row's time, passing arrays takes a third: the model's are passed as their addresses and lengths, in the
order of `technobench.cpu_pipeline.forest_layouts.FewRows`.
"""

import numpy as np
from numba import njit

from .memory import array_at


@njit(cache=True, nogil=True, inline="always")
def answer(
    feature: int,
    value: float,
    starts: np.ndarray,
    thresholds: np.ndarray,
    sets: np.ndarray,
    answers: np.ndarray,
) -> None:
    """The answers of a value that is not missing to the questions about its feature, in one vector loop.

    starts: int32[2, features + 1], where each feature's thresholds begin, and its categorical columns in ``sets``:
    int64[k, 3], first and last + 1 threshold, and where the answer is: whether an odd number is not above the value.
    """
    for question in range(np.uint64(starts[0, feature]), np.uint64(starts[0, feature + 1])):
        answers[question] = thresholds[question] <= value
    for k in range(starts[1, feature], starts[1, feature + 1]):
        answers[sets[k, 2]] = answers[sets[k, 0] : sets[k, 1]].sum() & 1


@njit(cache=True, nogil=True, inline="always")
def complete_trees(
    answers: np.ndarray, trees: int, depth: int, first_question: int, questions: np.ndarray, leaves: np.ndarray
) -> float:
    """The sum of one leaf of each of some complete trees of one depth, a multiple of 3.

    They lie level by level in ``questions`` (uint16), on each level the first tree's nodes first, so that the children
    of the node at place k of a level are at 2 k and 2 k + 1 of the next, or of ``leaves`` (float32).
    """
    place = np.arange(trees)
    width, upper = np.uint64(trees), np.uint64(first_question)
    for _ in range(depth // 3):  # three steps of all trees at a time, in a loop without branches
        middle = upper + width
        lower = middle + width + width
        for tree in range(trees):
            at = np.uint64(place[tree])
            at += at + answers[questions[upper + at]]
            at += at + answers[questions[middle + at]]
            at += at + answers[questions[lower + at]]
            place[tree] = at
        width *= np.uint64(8)
        upper = lower + (width >> np.uint64(1))
    total = 0.0
    for tree in range(trees):
        total += leaves[place[tree]]
    return float(total)


@njit(cache=True, nogil=True, inline="always")
def deep_tree(answers: np.ndarray, root: int, depth: int, nodes: np.ndarray) -> np.uint32:
    """The position of the leaf that is reached.

    nodes: uint32[2 n]: the question and the position of the left child, which the right one follows; a leaf is its own.
    """
    node = np.uint32(root)
    for _ in range(depth):
        left = np.uint64(2) * np.uint64(node)
        node = np.uint32(nodes[left + np.uint64(1)] + answers[nodes[left]])
    return node


@njit(cache=True, nogil=True)
def add_trees(answers: np.ndarray, model: np.ndarray, margins: np.ndarray) -> None:
    """Fill ``margins`` (float32[outputs]).

    Of ``model``, the groups are int64[5 k] (output, trees, depth, where in ``questions`` and ``leaves`` they begin),
    the deep trees int64[3 k] (output, root, depth).
    """
    base_margin = array_at(model[10], model[11], np.float64)
    groups, questions = array_at(model[12], model[13], np.int64), array_at(model[14], model[15], np.uint16)
    leaves = array_at(model[16], model[17], np.float32)
    deep, nodes = array_at(model[18], model[19], np.int64), array_at(model[20], model[21], np.uint32)
    leaf_value = array_at(model[22], model[23], np.float32)
    group, tree = 0, 0
    for output in range(len(base_margin)):
        total = base_margin[output]
        while group < len(groups) and groups[group] == output:
            trees, depth, first, first_leaf = groups[group + 1], groups[group + 2], groups[group + 3], groups[group + 4]
            total += complete_trees(answers, trees, depth, first, questions, leaves[first_leaf:])
            group += 5
        while tree < len(deep) and deep[tree] == output:
            total += leaf_value[deep_tree(answers, deep[tree + 1], deep[tree + 2], nodes)]
            tree += 3
        margins[output] = total


@njit(cache=True, nogil=True)
def score_csr(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, model: np.ndarray, margins: np.ndarray
) -> None:
    """Fill ``margins`` (float32[rows, outputs]) of the rows of a CSR matrix, data float32; NaN is missing too."""
    missing = array_at(model[0], model[1], np.uint8)
    starts = array_at(model[2], model[3], np.int32).reshape(2, -1)
    thresholds = array_at(model[4], model[5], np.float32)
    sets = array_at(model[6], model[7], np.int64).reshape(-1, 3)
    answers = np.empty(len(missing), np.uint8)
    for row in range(len(margins)):
        answers[:] = missing
        for entry in range(indptr[row], indptr[row + 1]):
            if not np.isnan(data[entry]):
                answer(indices[entry], data[entry], starts, thresholds, sets, answers)
        add_trees(answers, model, margins[row])


@njit(cache=True, nogil=True)
def score_dense(values: np.ndarray, places: np.ndarray, model: np.ndarray, margins: np.ndarray) -> None:
    """As `score_csr`, of float32[rows, k] with the i-th used feature in column ``places[i]``; NaN is missing."""
    missing = array_at(model[0], model[1], np.uint8)
    starts = array_at(model[2], model[3], np.int32).reshape(2, -1)
    thresholds = array_at(model[4], model[5], np.float32)
    sets, used = array_at(model[6], model[7], np.int64).reshape(-1, 3), array_at(model[8], model[9], np.int32)
    answers, found = np.empty(len(missing), np.uint8), np.empty(len(used), np.int32)
    for row in range(len(margins)):
        answers[:] = missing
        there = 0
        for position in range(len(used)):  # without a branch: where a row has values cannot be foretold
            found[there] = position
            there += not np.isnan(values[row, places[position]])
        for k in range(there):
            place = int(found[k])
            answer(used[place], values[row, places[place]], starts, thresholds, sets, answers)
        add_trees(answers, model, margins[row])
