"""The native matrix chunk by chunk: counter and encoder against sets in Python, and one record at a time."""

import threading
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline import technology_matrix
from technobench.cpu_pipeline.technology_matrix import TechnologyCounter, TechnologyEncoder
from technobench.pipeline.errors import InputError
from technobench.pipeline.technologies import items

ITEMS = ["a", "A ", "é", "e\u0301", "ß", "SS", "東雲", "", " ", "r", "R&D", "\x00"]
CELL = st.none() | st.lists(st.sampled_from(ITEMS) | st.text("ab\u0301é ", max_size=3), max_size=5).map("|".join)
CHUNKS = st.lists(st.lists(CELL, max_size=5), max_size=4)
FORMS = {
    "strings": lambda cells: pa.array(cells, pa.string()),
    "lists": lambda cells: pa.array(
        [None if cell is None else cell.split("|") for cell in cells], pa.list_(pa.string())
    ),
    "lists of dictionaries": lambda cells: pa.array(
        [None if cell is None else cell.split("|") for cell in cells], pa.list_(pa.dictionary(pa.int32(), pa.string()))
    ),
}
every_form = pytest.mark.parametrize("form", FORMS)


def assert_encoded(answer, cells, names):
    """Row by row, by sets of names."""
    assert answer.names == tuple(names)
    assert answer.known.tolist() == [cell is not None for cell in cells]
    rows = np.split(answer.matrix.indices, answer.matrix.indptr[1:-1]) if cells else []
    wanted = [sorted(names.index(name) for name in items(cell, "|") if name in names) for cell in cells]
    assert [row.tolist() for row in rows] == wanted
    assert answer.matrix.shape == (len(cells), len(names)) and answer.matrix.data.tolist() == [1] * answer.matrix.nnz
    assert answer.unseen == sum(name not in names for cell in cells for name in items(cell, "|"))


@every_form
@settings(deadline=None, max_examples=60)
@given(chunks=CHUNKS, frequency=st.integers(0, 3))
def test_counted_chunk_by_chunk(form, chunks, frequency):
    counter = TechnologyCounter("|")
    for cells in chunks:
        counter.add(FORMS[form](cells))
    counts = Counter(name for cells in chunks for cell in cells for name in items(cell, "|"))
    assert counter.names(frequency) == tuple(sorted(name for name in counts if counts[name] >= frequency))


@every_form
@settings(deadline=None, max_examples=60)
@given(chunks=CHUNKS, names=st.lists(st.sampled_from(["r", "a", "é", "ss", "東雲", "ab", "\x00"]), unique=True))
def test_encoded_chunk_by_chunk(form, chunks, names):
    encoder = TechnologyEncoder(names, "|")
    for cells in chunks:
        assert_encoded(encoder.encode(FORMS[form](cells)), cells, names)
        for cell in cells:
            found = encoder.columns_of(cell)
            assert found.dtype == np.int32
            assert found.tolist() == sorted(names.index(name) for name in items(cell, "|") if name in names)


def test_what_an_encoder_remembers_is_bounded(monkeypatch):
    monkeypatch.setattr(technology_matrix, "_MOST_ITEMS", 50)
    encoder = TechnologyEncoder(["a", "b"], "|")
    for first in range(0, 500, 20):
        cells = [f"b|New {k}|new {k}|A" for k in range(first, first + 20)]
        assert_encoded(encoder.encode(pa.array(cells)), cells, ["a", "b"])
        assert [encoder.columns_of(cell).tolist() for cell in cells] == [[0, 1]] * 20
        assert encoder._items.names.items <= 52 + 42, "what one chunk adds is forgotten after it"
        assert len(encoder._columns) <= 52


def test_several_threads_count_and_encode_at_once(monkeypatch):
    monkeypatch.setattr(technology_matrix, "_ROWS_FOR_A_THREAD", 20)
    monkeypatch.setattr(technology_matrix, "_MOST_ITEMS", 300)
    generator = np.random.default_rng(3)
    chunks = [["|".join(f"T{k}" for k in generator.integers(0, 600, 9)) for _ in range(100)] for _ in range(24)]
    names = [f"t{k}" for k in range(0, 600, 2)]
    encoder, counter = TechnologyEncoder(names, "|"), TechnologyCounter("|")
    answers, failures = {}, []

    def work(first):
        try:
            for position in range(first, len(chunks), 4):
                column = pa.array(chunks[position])
                counter.add(column)
                answers[position] = encoder.encode(column)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for position, cells in enumerate(chunks):
        assert_encoded(answers[position], cells, names)
    counts = Counter(name for cells in chunks for cell in cells for name in items(cell, "|"))
    assert counter.names(35) == tuple(sorted(name for name in counts if counts[name] >= 35))


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a", "b", "a"], "1 names twice"), (["a", "B"], "'B' is compared as 'b'"), (["a", ""], "''")],
)
def test_a_vocabulary_that_cannot_be_met_is_refused(names, message):
    with pytest.raises(InputError, match=message):
        TechnologyEncoder(names, "|")


def test_an_empty_delimiter_is_refused():
    with pytest.raises(InputError, match="delimiter is empty"):
        TechnologyEncoder(["a"], "")
    with pytest.raises(InputError, match="delimiter is empty"):
        TechnologyCounter("")
