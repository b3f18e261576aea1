"""Models at work on raw records: a Parquet file of any size to scores, their contributions, and recommendations.

One chunk of records is in memory at a time: read, encoded as the model's columns, scored and explained in one pass, and
its technologies given to the recommender, where there is one.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from ..pipeline.column_order import in_order_of
from ..pipeline.datasets.dataset import Column
from ..pipeline.errors import InputError
from ..pipeline.final_columns import ColumnsLearner, FinalColumns, columns_of_model
from ..pipeline.record_file import RecordFile
from ..pipeline.stages.matrix_build import MatrixAnswer
from ..pipeline.stopwatch import Stopwatch
from .final_matrix import final_rows
from .raw_columns import raw_columns
from .recommender import Recommender
from .technology_matrix import TechnologyCounter, TechnologyEncoder
from .top_k import TopItems
from .tree_shap import TreeShap

if TYPE_CHECKING:
    import xgboost

ROWS_AT_A_TIME = 1 << 15


class ScoredRecords(NamedTuple):
    """Consecutive records, n of them.

    scores: float32[n], margins.
    features: int32[n, k], the columns of the model that move each score most. values: float32[n, k], their
        contributions to it, largest size first.

    For a model of more than one output they are [n, outputs] and [n, outputs, k].

    recommended: int32[n, r], technologies that a record has not, best first, as positions in `Scorer.technologies`; -1
        after the last one. recommended_scores: float32[n, r]. r is 0 without a recommender.
    """

    scores: np.ndarray
    features: np.ndarray
    values: np.ndarray
    recommended: np.ndarray
    recommended_scores: np.ndarray


class Scorer:
    """Scores files of raw records with an XGBoost model, explains every score, and recommends technologies.

    Set-up (tables, compilation where the cache on disk has none) is done when an object is made.
    """

    def __init__(
        self,
        explainer: TreeShap,
        final: FinalColumns,
        vocabulary: Sequence[str],
        technologies: str,
        delimiter: str,
        top: int = 10,
        recommender: Recommender | None = None,
        watch: Stopwatch | None = None,
    ) -> None:
        """Take what `from_booster` makes, and the names of the technologies that are told in records.

        ``watch`` is told of ``read``, ``matrix``, ``features``, ``predict+shap`` and ``recommend``.
        """
        self._explainer, self._final, self._recommender = explainer, final, recommender
        self._technologies, self._top = technologies, top
        self._encoder = TechnologyEncoder(vocabulary, delimiter)
        self._watch = watch or Stopwatch()

    @classmethod
    def from_booster(
        cls,
        booster: "xgboost.Booster",
        columns: Sequence[Column] = (),
        technologies: str = "technologies",
        delimiter: str = "|",
        top: int = 10,
        recommender: Recommender | None = None,
    ) -> "Scorer":
        """A scorer for records whose columns are named after those of the model, as the stage `features` names them.

        Args:
            booster: its ``feature_names`` are the columns of a final matrix.
            columns: raw columns, and whether each is ``categorical`` or ``numeric``. All other names of the model are
                taken as technologies.
            technologies: the column of delimited strings; null where the technologies are unknown.
            delimiter: what separates them.
            top: features in an explanation; all that the model uses where these are fewer.
            recommender: of technologies, which need not be those of the booster.

        Raises:
            InputError: the model has no names, or one that is neither of a raw column nor of a technology; or two of
                the recommender's are the same, or one is not as `normalise` writes it.
            UnsupportedModelError: as `TreeShap.from_booster`.

        """
        if not booster.feature_names:
            raise InputError("the model does not name its features; set booster.feature_names to the matrix's columns")
        final = columns_of_model(booster.feature_names, columns, delimiter)
        recommended = recommender.names if recommender else ()
        vocabulary = recommended + tuple(sorted(set(final.technologies) - set(recommended)))
        explainer = TreeShap.from_booster(booster)
        return cls(explainer, final, vocabulary, technologies, delimiter, top, recommender)

    @property
    def names(self) -> tuple[str, ...]:
        """The model's columns, which `ScoredRecords.features` are positions in."""
        return self._final.names

    @cached_property
    def technologies(self) -> np.ndarray:
        """Names of the technologies that are recommended, which `ScoredRecords.recommended` are positions in.

        The last one is empty, so that it stands for -1, no technology.
        """
        return np.array([*(self._recommender.names if self._recommender else ()), ""], object)

    def score_file(self, source: Path | str | pa.Buffer) -> Iterator[ScoredRecords]:
        """The records of a Parquet file, or of the bytes of one, in order, some at a time.

        Raises:
            InputError: as `RecordFile.chunks`.

        """
        file = RecordFile(source, self._technologies, self._final.columns)
        for chunk in self._watch.each("read", file.chunks(ROWS_AT_A_TIME)):
            yield self._score(chunk)

    def _score(self, chunk: pa.RecordBatch) -> ScoredRecords:
        with self._watch.phase("matrix"):
            encoded = self._encoder.encode(chunk[self._technologies])
        with self._watch.phase("features"):
            raw = raw_columns(chunk, self._final.columns)
            technologies = in_order_of(self._final.technologies, encoded.matrix, encoded.names)
            matrix = final_rows(self._final, raw, technologies, encoded.known)
        with self._watch.phase("predict+shap"):
            top, margins = self._explainer.top_contributions(matrix, self._top, with_scores=True)
        best = self._recommended(encoded)
        return ScoredRecords(margins.astype(np.float32), top.features, top.values, best.items, best.scores)

    def _recommended(self, encoded: MatrixAnswer) -> TopItems:
        if self._recommender is None:
            nothing = encoded.matrix.shape[0], 0
            return TopItems(np.empty(nothing, np.int32), np.empty(nothing, np.float32))
        with self._watch.phase("recommend"):
            return self._recommender.recommend(in_order_of(self._recommender.names, encoded.matrix, encoded.names))


def learn(file: RecordFile, delimiter: str, records: int, min_frequency: int, watch: Stopwatch) -> FinalColumns:
    """Final columns of the first so many records, the training records, as the stages before `predict` define them.

    Args:
        file: the raw records.
        delimiter: what separates technologies.
        records: how many to learn from.
        min_frequency: records that must hold a technology for it to have a column.
        watch: told of ``read``, ``matrix`` and ``features``.

    Raises:
        InputError: as `RecordFile.chunks`.

    """
    counter, learner = TechnologyCounter(delimiter), ColumnsLearner(file.columns)
    for chunk in watch.each("read", file.chunks(ROWS_AT_A_TIME, records)):
        with watch.phase("matrix"):
            counter.add(chunk[file.technologies])
        with watch.phase("features"):
            known = chunk[file.technologies].is_valid().to_numpy(zero_copy_only=False)
            learner.add(raw_columns(chunk, file.columns), known)
    with watch.phase("matrix"):
        names = counter.names(min_frequency)
    return learner.learned(names)
