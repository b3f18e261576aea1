"""A trained ALS model at work on new rows: what fits best to the items that each has, and is not among them."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import InputError
from .implicit_als import ALSModel
from .top_k import TopItems, TopK


class Recommender:
    """Recommends items to users who were not there when the model was trained, by folding each of them in.

    Set-up (the items' order, compilation where the cache on disk has none) is done when an object is made.
    """

    def __init__(self, model: ALSModel, names: Sequence[str], k: int = 10) -> None:
        """Take the model, the names of its items, and how many to recommend.

        Raises:
            InputError: there are not as many names as items, there are none, a vector is not finite, or k is below 1.

        """
        if len(names) != len(model.item_factors):
            raise InputError(f"{len(names)} names for a model of {len(model.item_factors)} items; name each of them")
        if k < 1:
            raise InputError(f"k={k}: recommend at least one item")
        self.names, self.k = tuple(names), k
        self.model, self._top = model, TopK(model.item_factors)
        one_of_two = sp.csr_matrix((np.ones(1, np.float32), ([0], [0])), shape=(2, len(names)))
        self.recommend(one_of_two)  # compiles, also what is for a row without items

    def recommend(self, rows: sp.csr_matrix) -> TopItems:
        """The k best items for each of n rows that the row does not have, by score; equal ones by number.

        A row without items has the score 0 for all, so that its list says nothing.

        Args:
            rows: CSR, n x items, the strengths of what each has, as the model was trained on.

        Raises:
            InputError: as `ALSModel.fold_in_users`.

        """
        return self._top.recommend(self.model.fold_in_users(rows), self.k, owned=rows)
