"""Matrix build: raw records to a sparse 0/1 matrix, record x technology.

Entry (i, j) is 1 where record i's cell holds name j of the vocabulary. What a name is, and what null, empty, repeated
and unseen items mean, is in `technologies`; the vocabulary is learned from the training records alone.

The traps that this settles: a substring test is wrong (``R`` is in ``Ruby``: 4.7 % false non-zeros on real data);
a word tokenizer loses ``C++``, ``R`` and ``Node.js``; row pointers need 64 bits beyond 2^31 non-zeros.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from ..contract import Stage
from ..technologies import Vocabulary, items, normalise

if TYPE_CHECKING:
    from ..workload import Workload


LISTS = "technologies"
"""The column of `MatrixProblem.lists_file`."""
_ROWS_OF_A_GROUP = 1 << 14


@dataclass(frozen=True)
class MatrixProblem:
    """Cells to parse.

    cells: one delimited string per record, or None where the technologies are unknown.
    training_records: the vocabulary is learned from the first so many cells.
    min_frequency: training records that must hold a name for it to enter the vocabulary.
    batch_records: records per batch, for variants that work in batches.
    """

    cells: Sequence[str | None]
    delimiter: str
    training_records: int
    min_frequency: int = 1
    batch_records: int = 1000

    def lists_file(self) -> pa.Buffer:
        """The bytes of a Parquet file whose column `LISTS` has the cells' items as dictionary-encoded lists.

        It is made anew by each call, for the set-up of variants that begin with such a file.
        """
        schema = pa.schema([(LISTS, pa.list_(pa.string()))])
        written = pa.BufferOutputStream()
        with pq.ParquetWriter(written, schema, compression="zstd") as writer:
            for start in range(0, len(self.cells), _ROWS_OF_A_GROUP):
                cells = pa.array(self.cells[start : start + _ROWS_OF_A_GROUP], pa.string())
                writer.write_table(pa.table([pc.split_pattern(cells, self.delimiter)], schema=schema))
        return written.getvalue()


@dataclass(frozen=True)
class MatrixAnswer:
    """A technology matrix.

    matrix: CSR, n x m, int8 ones, indices sorted within a row and distinct; 64-bit indices where SciPy needs them.
    names: the m names of the vocabulary, in order of code points.
    known: bool[n], False where the cell is null.
    unseen: how many (record, name) pairs have a name outside of the vocabulary.
    """

    matrix: sp.csr_matrix
    names: tuple[str, ...]
    known: np.ndarray
    unseen: int

    @property
    def unseen_share(self) -> float:
        """Share of all (record, name) pairs whose name is unseen; 0 where there are no pairs."""
        return self.unseen / max(1, self.unseen + self.matrix.nnz)


def csr_of_ones(indices: np.ndarray, row_pointers: np.ndarray, columns: int) -> sp.csr_matrix:
    """An int8 CSR of ones from sorted column indices [nnz] and row pointers [n + 1]."""
    shape = (len(row_pointers) - 1, columns)
    return sp.csr_matrix((np.ones(len(indices), np.int8), indices, row_pointers), shape=shape)


def row_pointers(row_lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """int64[n + 1] row pointers from the n row lengths."""
    pointers = np.zeros(len(row_lengths) + 1, np.int64)
    np.cumsum(row_lengths, out=pointers[1:])
    return pointers


class MatrixBuild(Stage[MatrixProblem, MatrixAnswer, MatrixAnswer]):
    """Raw technology lists to a CSR matrix."""

    name = "matrix_build"
    order = 10
    summary = "raw technology lists to a sparse 0/1 matrix"
    error_measure = "entries, names, known flags and unseen counts that differ"
    tolerance = 0.0

    def problem(self, workload: "Workload") -> MatrixProblem:
        """The dataset's technology column as Python strings."""
        dataset, parameters = workload.records, workload.parameters
        return MatrixProblem(
            cells=workload.cells(),
            delimiter=dataset.delimiter,
            training_records=dataset.training_records,
            min_frequency=int(parameters["min_frequency"]),
            batch_records=int(parameters["batch_records"]),
        )

    def prefix(self, problem: MatrixProblem, records: int) -> MatrixProblem:
        """The first cells; as many of the training records as are among them."""
        return replace(
            problem,
            cells=problem.cells[:records],
            training_records=min(records, problem.training_records),
        )

    def sizes(self, problem: MatrixProblem) -> dict[str, int]:
        """Records, and distinct names in all records."""
        raw = {item for cell in problem.cells if cell for item in cell.split(problem.delimiter)}
        return {"records": len(problem.cells), "technologies": len({normalise(item) for item in raw} - {""})}

    def reference(self, problem: MatrixProblem) -> MatrixAnswer:
        """Set by set, name by name: the definition in `technologies`, spelt out."""
        names_of = [items(cell, problem.delimiter) for cell in problem.cells]
        frequency = Counter(name for names in names_of[: problem.training_records] for name in names)
        vocabulary = sorted(name for name, count in frequency.items() if count >= problem.min_frequency)
        column = {name: position for position, name in enumerate(vocabulary)}
        rows = [sorted(column[name] for name in names if name in column) for names in names_of]
        lengths = [len(row) for row in rows]
        indices = np.fromiter((position for row in rows for position in row), np.int64, sum(lengths))
        return MatrixAnswer(
            matrix=csr_of_ones(indices, row_pointers(lengths), len(vocabulary)),
            names=tuple(vocabulary),
            known=np.fromiter((cell is not None for cell in problem.cells), bool, len(problem.cells)),
            unseen=sum(map(len, names_of)) - sum(lengths),
        )

    def error(self, problem: MatrixProblem, answer: MatrixAnswer, reference: MatrixAnswer) -> float:
        """Entries that differ, after the answer is put into canonical form (an entry of 2 differs from 1)."""
        if answer.matrix.shape != reference.matrix.shape or answer.known.shape != reference.known.shape:
            return float("inf")
        stored = sp.csr_matrix(answer.matrix).astype(np.int64)
        different = (stored != reference.matrix.astype(np.int64)).nnz
        different += sum(ours != theirs for ours, theirs in zip(answer.names, reference.names, strict=False))
        different += abs(len(answer.names) - len(reference.names))
        different += int((answer.known != reference.known).sum())
        return float(different + abs(answer.unseen - reference.unseen))


def vocabulary_of(problem: MatrixProblem, answer: MatrixAnswer) -> Vocabulary:
    """The answer's vocabulary, to save beside a model."""
    return Vocabulary(answer.names, problem.delimiter)
