"""Items as a recommender knows them: the item side of an ALS model, with what it takes to find new users' vectors.

A user who was not there when the model was trained is *folded in*: the user's vector is the best one for the items that
the user has, the item vectors held, which is half an iteration of `technobench.pipeline.stages.als`. The score of an
item is the product of the two vectors. A user without items has the vector 0, so that all scores are 0.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import scipy.sparse as sp

from .als_reference import exact_als, exact_rows
from .contract import Scalar
from .errors import InputError
from .stages.als import Als, AskedScaling, Scaling, als_problem, penalties, with_values

if TYPE_CHECKING:
    from .workload import Workload


class AlsParameters(NamedTuple):
    """The hyper-parameters of `als_problem`."""

    factors: int
    regularization: float
    alpha: float
    iterations: int
    seed: int
    scaling: AskedScaling


PARAMETERS: Mapping[str, Scalar] = {
    name: Als.parameters[name] for name in ("factors", "regularization", "regularization_scaling", "alpha")
} | {"iterations": 5}
"""Parameters of a stage that starts from item vectors. Exact iterations are slow, and five lead near to the end."""


def als_parameters(parameters: Mapping[str, Scalar]) -> AlsParameters:
    """Those among the parameters of a stage, and the seed."""
    return AlsParameters(
        factors=int(parameters["factors"]),
        regularization=float(parameters["regularization"]),
        alpha=float(parameters["alpha"]),
        iterations=int(parameters["iterations"]),
        seed=int(parameters["seed"]),
        scaling=cast(AskedScaling, parameters["regularization_scaling"]),
    )


@dataclass(frozen=True)
class ItemVectors:
    """The m items of an ALS model.

    names: of the items. vectors: float32[m, factors].
    alpha, regularization, scaling: those that the model was trained with.
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    alpha: float
    regularization: float
    scaling: Scaling

    def confidences(self, rows: sp.csr_matrix) -> sp.csr_matrix:
        """CSR float32, n x m: c - 1 of the strengths of n users."""
        return with_values(rows, np.float32(self.alpha) * rows.data)

    def penalties(self, rows: sp.csr_matrix) -> np.ndarray:
        """float64[n]: lambda of n users, given their strengths."""
        return penalties(np.diff(rows.indptr), len(self.vectors), self.alpha, self.regularization, self.scaling)

    def exact_users(self, rows: sp.csr_matrix) -> np.ndarray:
        """float64[n, factors]: users folded in exactly, from CSR n x m strengths."""
        return exact_rows(self.confidences(rows), self.vectors.astype(np.float64), self.penalties(rows))

    @classmethod
    def of(cls, workload: "Workload", parameters: AlsParameters) -> "ItemVectors":
        """The technologies of a workload, trained on its training records, company x technology, once, and kept.

        Raises:
            InputError: as `trained`.

        """

        def train(folder: Path) -> None:
            technologies = workload.technologies()
            rows = technologies.matrix[: workload.records.training_records].astype(np.float32)
            cls.trained(rows, technologies.names, parameters).save(folder)

        told = "-".join(map(str, parameters))
        return cls.load(workload.kept(f"items-{told}-{workload.digest('min_frequency')}", train))

    @classmethod
    def trained(cls, strengths: sp.csr_matrix, names: Sequence[str], parameters: AlsParameters) -> "ItemVectors":
        """By exact ALS in float64 on CSR users x items; slow, and independent of every variant.

        Raises:
            InputError: there is no item, or as `als_problem`.

        """
        if not names:
            raise InputError("no technology is in the training records often enough; there is nothing to recommend")
        problem = als_problem(strengths, **parameters._asdict())
        return cls(
            tuple(names),
            exact_als(problem)[1].astype(np.float32),
            problem.alpha,
            problem.regularization,
            problem.scaling,
        )

    def save(self, folder: Path) -> None:
        """Write into the folder."""
        np.save(folder / "vectors.npy", self.vectors)
        told = {"alpha": self.alpha, "regularization": self.regularization, "scaling": self.scaling}
        (folder / "items.json").write_text(json.dumps({"names": self.names, **told}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ItemVectors":
        """Read what `save` wrote."""
        told = json.loads((folder / "items.json").read_text(encoding="utf-8"))
        names = tuple(told.pop("names"))
        return cls(names, np.load(folder / "vectors.npy", allow_pickle=False), **told)
