"""Rows of 8-bit codes to one leaf of each tree, two ways: a vectorised shallow tree, and a walk for any tree.

The codes are those of `technobench.pipeline.threshold_codes`: uint8[coded columns, rows].
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _chosen(bit: np.uint8, if_zero: np.uint8, if_one: np.uint8) -> np.uint8:
    """Of two bytes by a bit, without a branch, so that loops of it become vector instructions on bytes."""
    return if_zero ^ (np.uint8(bit * np.uint8(255)) & (if_zero ^ if_one))


@njit(cache=True, nogil=True)
def _path_of_three(codes: np.ndarray, columns: np.ndarray, ranks: np.ndarray, path: np.ndarray) -> None:
    """Which of the 8 exits each row takes from a complete tree of 7 splits, given level by level; one vector loop."""
    code0, code1, code2, code3 = codes[columns[0]], codes[columns[1]], codes[columns[2]], codes[columns[3]]
    code4, code5, code6 = codes[columns[4]], codes[columns[5]], codes[columns[6]]
    rank0, rank1, rank2, rank3, rank4, rank5, rank6 = (
        *(ranks[0], ranks[1], ranks[2], ranks[3]),
        *(ranks[4], ranks[5], ranks[6]),
    )
    for row in range(len(path)):
        first = np.uint8(code0[row] >= rank0)
        second = _chosen(first, np.uint8(code1[row] >= rank1), np.uint8(code2[row] >= rank2))
        left = _chosen(second, np.uint8(code3[row] >= rank3), np.uint8(code4[row] >= rank4))
        right = _chosen(second, np.uint8(code5[row] >= rank5), np.uint8(code6[row] >= rank6))
        path[row] = (first << 2) | (second << 1) | _chosen(first, left, right)


@njit(cache=True, nogil=True)
def _shallow_leaves(codes: np.ndarray, columns: np.ndarray, ranks: np.ndarray, paths: np.ndarray) -> None:
    """Leaf (0 to 63, from the left) of each row in a complete tree of depth 6, into ``paths[0]``.

    columns, ranks: [9, 7], the splits of the 3 upper levels, then those of the 8 trees below, from the left.
    paths: uint8[9, rows], overwritten.
    """
    for group in range(9):
        _path_of_three(codes, columns[group], ranks[group], paths[group])
    top = paths[0]
    path0, path1, path2, path3 = paths[1], paths[2], paths[3], paths[4]
    path4, path5, path6, path7 = paths[5], paths[6], paths[7], paths[8]
    for row in range(len(top)):
        exit_taken = top[row]
        bit0, bit1, bit2 = exit_taken & np.uint8(1), (exit_taken >> 1) & np.uint8(1), exit_taken >> 2
        left = _chosen(bit1, _chosen(bit0, path0[row], path1[row]), _chosen(bit0, path2[row], path3[row]))
        right = _chosen(bit1, _chosen(bit0, path4[row], path5[row]), _chosen(bit0, path6[row], path7[row]))
        top[row] = (exit_taken << 3) | _chosen(bit2, left, right)


@njit(cache=True, nogil=True)
def add_shallow(
    codes: np.ndarray,
    columns: np.ndarray,
    ranks: np.ndarray,
    values: np.ndarray,
    tree_output: np.ndarray,
    first: int,
    sums: np.ndarray,
) -> None:
    """Add one leaf of each tree of depth 6 at most, as `add_walked` does.

    columns, ranks: [trees, 9, 7] as in `_shallow_leaves`; values: float32[trees, 64].
    """
    rows = codes.shape[1]
    paths = np.empty((9, rows), np.uint8)
    for tree in range(len(columns)):
        _shallow_leaves(codes, columns[tree], ranks[tree], paths)
        leaf, leaf_values, total = paths[0], values[tree], sums[tree_output[tree], first : first + rows]
        for row in range(rows):
            total[row] += leaf_values[leaf[row]]


@njit(cache=True, nogil=True, inline="always")
def _leaf(codes: np.ndarray, row: int, root: np.uint32, depth: np.uint32, nodes: np.ndarray) -> np.uint32:
    """Position of the leaf that a row reaches in ``depth`` steps.

    Without a branch and without a store, so that the processor walks through many trees at once; unsigned, so that no
    index is checked for being negative.
    """
    node = root
    for _ in range(depth):
        test = nodes[node, 0]
        goes_right = np.uint32(codes[np.uint32(test >> np.uint32(8)), row] >= (test & np.uint32(255)))
        node = np.uint32(nodes[node, 1] + goes_right)
    return node


@njit(cache=True, nogil=True)
def add_walked(
    codes: np.ndarray,
    trees: np.ndarray,
    nodes: np.ndarray,
    leaf_value: np.ndarray,
    first: int,
    sums: np.ndarray,
) -> None:
    """Add one leaf of each tree to the sums of its output, for the rows from ``first`` on that ``codes`` has.

    Args:
        codes: uint8[columns, rows].
        trees: uint32[trees, 3]: position of the root, splits on the longest path, and output.
        nodes: uint32[nodes, 2]: coded column * 256 + rank of the split, which is 0 at a leaf, that goes right to
            itself; and position of the left child, which the right one follows.
        leaf_value: float32[nodes].
        first: the place of the first row in ``sums``.
        sums: float64[outputs, n].

    """
    for tree in range(len(trees)):
        root, depth, output = trees[tree, 0], trees[tree, 1], trees[tree, 2]
        for row in range(codes.shape[1]):
            sums[output, first + row] += leaf_value[_leaf(codes, row, root, depth, nodes)]


@njit(cache=True, nogil=True)
def reached_leaves(
    codes: np.ndarray,
    trees: np.ndarray,
    nodes: np.ndarray,
    node_in_tree: np.ndarray,
    leaves: np.ndarray,
) -> None:
    """Fill ``leaves`` (int32[rows, trees]) from ``node_in_tree`` (int32[nodes]); the rest as in `add_walked`."""
    for tree in range(len(trees)):
        for row in range(len(leaves)):
            leaves[row, tree] = node_in_tree[_leaf(codes, row, trees[tree, 0], trees[tree, 1], nodes)]
