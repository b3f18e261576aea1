"""In the place of the CUDA extension: the same call, counted, computed by shap's extension for the CPU."""

from shap import _cext

rows_of_calls: list[int] = []


def dense_tree_shap(*arguments):
    rows_of_calls.append(len(arguments[9]))
    _cext.dense_tree_shap(*arguments)
