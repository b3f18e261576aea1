"""What the explainers of a forest share, whatever they explain: how they are made, and one `CellSums` per output."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import numpy as np

from ..pipeline.forest import Forest
from ..pipeline.shap_cells import ShapCells
from ..pipeline.shap_tables import MOST_BYTES
from .cell_sums import CellSums

if TYPE_CHECKING:
    import xgboost


class TreeExplainer(ABC):
    """A forest and the sums of its outputs' cells.

    features: int32, ascending: the columns that the model uses.
    """

    def __init__(self, forest: Forest, outputs: list[CellSums]) -> None:
        """Take what `from_forest` builds."""
        self.forest, self._outputs = forest, outputs
        self.features = forest.used_features

    @staticmethod
    @abstractmethod
    def _cells_of(forest: Forest) -> ShapCells:
        """What is added up for a forest of one output."""

    @classmethod
    def from_booster(cls, booster: "xgboost.Booster", iteration_range: tuple[int, int] | None = None) -> Self:
        """Explain all trees of a booster, or those of some boosting rounds: ``(0, booster.best_iteration + 1)``.

        Raises:
            UnsupportedModelError: as `Forest.from_model`, or a split of the model has no cover.
            InputError: the model has no such rounds.

        """
        return cls.from_forest(Forest.from_model(bytes(booster.save_raw("json")), iteration_range))

    @classmethod
    def from_forest(cls, forest: Forest, most_table_bytes: int = MOST_BYTES) -> Self:
        """Explain a forest, with tables of at most so many bytes; trees beyond them are walked, which is slower."""
        return cls(forest, CellSums.of_outputs(forest, cls._cells_of, most_table_bytes))

    @property
    def bias(self) -> np.ndarray:
        """float64[outputs]: the mean margin, which is left where no feature is known."""
        return np.array([output.bias for output in self._outputs])

    @property
    def _each_output(self) -> tuple[int, ...]:
        """The axis of the outputs, which a model of one output has not."""
        return (len(self._outputs),) if len(self._outputs) > 1 else ()
