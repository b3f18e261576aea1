"""The native technology matrix by itself: Arrow columns of every form, long text, many items, threads."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline import technology_matrix
from technobench.cpu_pipeline.kernels import delimited
from technobench.cpu_pipeline.kernels.delimited import no_items
from technobench.cpu_pipeline.technology_items import chunks_of
from technobench.cpu_pipeline.technology_matrix import arrow_column, build_from_arrow
from technobench.pipeline.errors import InputError
from technobench.pipeline.stages.matrix_build import MatrixBuild, MatrixProblem

STAGE = MatrixBuild()


def assert_right(column, cells, delimiter="|", training=None, frequency=1):
    problem = MatrixProblem(cells, delimiter, len(cells) if training is None else training, frequency)
    answer = build_from_arrow(column, delimiter, problem.training_records, frequency)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) == 0
    assert answer.matrix.data.dtype == np.int8 and answer.matrix.has_canonical_format
    return answer


def random_cells(records, names, most_items, seed=0, delimiter="|"):
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, most_items, records)
    rows = [(names * generator.random(count) ** 2).astype(int) for count in counts]
    cells = [delimiter.join(f"Technology {'x' * (k % 23)}{k}" for k in row) for row in rows]
    return [None if generator.random() < 0.05 else cell for cell in cells]


CELLS = ["A|b|c", None, "", "b|B |é", "東雲|c", None, "||a", "\x00|a\x00|"]
LISTS = [None if cell is None else cell.split("|") for cell in CELLS]
WITH_NULLS = [None if row is None else [None, *(item or None for item in row), None] for row in LISTS]
CODED = pa.dictionary(pa.int8(), pa.string())
FORMS = {
    "string": pa.array(CELLS, pa.string()),
    "large_string": pa.array(CELLS, pa.large_string()),
    "chunks": pa.chunked_array([CELLS[:2], [], CELLS[2:]], pa.string()),
    "chunks that are slices": pa.chunked_array([pa.array(["z", *CELLS, "y"])[1:4], pa.array(CELLS)[3:]]),
    "dictionary": pa.array(CELLS).dictionary_encode(),
    "chunks of dictionaries": pa.chunked_array([CELLS[:4], CELLS[4:]], pa.string()).dictionary_encode(),
    "list": pa.array(LISTS, pa.list_(pa.string())),
    "large_list of large_string": pa.array(LISTS, pa.large_list(pa.large_string())),
    "list with nulls in it": pa.array(WITH_NULLS, pa.list_(pa.string())),
    "list that is a slice": pa.array([["z"], *LISTS, ["y"]], pa.list_(pa.string()))[1:-1],
    "list of dictionary": pa.array(LISTS, pa.list_(CODED)),
    "list of dictionary with nulls": pa.array(WITH_NULLS, pa.large_list(CODED)),
    "list of dictionary that is a slice": pa.array([["z"], *WITH_NULLS, ["y"]], pa.list_(CODED))[1:-1],
    "chunks of lists of dictionaries": pa.chunked_array([LISTS[:3], [], LISTS[3:]], pa.list_(CODED)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("training", [0, 3, 8])
def test_every_form_of_column(form, training):
    assert_right(FORMS[form], CELLS, training=training)


def test_columns_without_rows():
    for column in (pa.array([], pa.string()), pa.chunked_array([], pa.string())):
        answer = assert_right(column, [])
        assert answer.matrix.shape == (0, 0)


def test_null_cells_may_lie_over_text():
    text, offsets = pa.py_buffer(b"a|bc|dx"), pa.py_buffer(np.array([0, 3, 6, 7], np.int32).tobytes())
    column = pa.StringArray.from_buffers(3, offsets, text, pa.py_buffer(b"\x05"))
    assert column.to_pylist() == ["a|b", None, "x"]
    assert_right(column, ["a|b", None, "x"])


@pytest.mark.parametrize("frequency", [1, 3])
def test_many_items_on_several_threads(monkeypatch, frequency):
    monkeypatch.setattr(technology_matrix, "_ROWS_FOR_A_THREAD", 100)
    cells = random_cells(3000, 9000, 30)
    for column in (arrow_column(cells), pa.chunked_array([cells[:100], cells[100:]])):
        answer = assert_right(column, cells, training=1700, frequency=frequency)
        assert answer.unseen > 100
    assert len({item for cell in cells if cell for item in cell.split("|")}) > 2 * 4096, "the hash table must grow"


def test_parts_are_cut_where_the_bytes_are(monkeypatch):
    monkeypatch.setattr(technology_matrix, "_ROWS_FOR_A_THREAD", 1)
    cells = ["a|b"] * 50 + ["|".join(map(str, range(4000)))] + ["c"] * 50
    assert_right(arrow_column(cells), cells)


TEXT = st.text(st.sampled_from("aAb|;é東\x00 "), max_size=40)


@settings(deadline=None, max_examples=150)
@given(
    cells=st.lists(st.none() | TEXT, max_size=6),
    delimiter=st.sampled_from(["|", "||", "|;", "é", "東", "aé", "||||||||||", "a", "\x00", " | "]),
)
def test_any_delimiter(cells, delimiter):
    assert_right(pa.array(cells, pa.string()), cells, delimiter)


@pytest.mark.parametrize("length", range(20))
def test_a_delimiter_at_every_place_of_a_word_and_at_the_end_of_the_buffer(length):
    cells = ["x" * length + "|" + "y" * k for k in range(20)] + ["x" * length]
    assert_right(pa.array(cells, pa.string()), cells)
    text = "".join(cells).encode()
    offsets = np.cumsum([0, *map(len, cells)])
    tokens, row_starts, items = delimited.number_items(
        np.frombuffer(text, np.uint8), offsets, np.ones(len(cells), bool), np.frombuffer(b"|", np.uint8), no_items()
    )
    wanted = [[item for item in cell.split("|") if item] for cell in cells]
    distinct = list(dict.fromkeys(item for row in wanted for item in row))
    assert [text_of(items, k) for k in range(items.size[0])] == distinct
    rows = [tokens[start:end] for start, end in pairwise(row_starts)]
    assert [[distinct[token] for token in row] for row in rows] == wanted


def text_of(items, number):
    return items.text[items.ends[number] : items.ends[number + 1]].tobytes().decode()


def test_what_is_no_text_is_refused():
    with pytest.raises(InputError, match="int64"):
        build_from_arrow(pa.array([1, 2]), "|", 2)
    with pytest.raises(InputError, match="delimiter is empty"):
        build_from_arrow(pa.array(["a"]), "", 1)
    with pytest.raises(InputError, match="list<item: double>"):
        build_from_arrow(pa.array([[1.0]]), "|", 1)
    with pytest.raises(InputError, match="not valid text"):
        arrow_column(["a\ud800"])
    offsets = pa.py_buffer(np.array([0, 1, 3], np.int32).tobytes())
    with pytest.raises(InputError, match="not valid text"):
        build_from_arrow(pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"a\xff\xfe")), "|", 2)


def test_columns_of_nothing_but_nulls():
    assert_right(pa.nulls(3), [None] * 3)
    assert_right(pa.array([[], None, [None]], pa.list_(pa.null())), ["", None, ""])


def test_an_item_of_a_list_is_one_name_whatever_it_holds():
    answer = build_from_arrow(pa.array([["a|b", "A|B", "c"], ["c"]]), "|", 2)
    assert answer.names == ("a|b", "c") and answer.matrix.toarray().tolist() == [[1, 1], [0, 1]]


def test_null_lists_and_codes_may_lie_over_items():
    values = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 0, 1], pa.int32(), mask=np.array([0, 0, 1, 0], bool)), pa.array(["a", "b"])
    )
    column = pa.ListArray.from_arrays(pa.array([0, 1, 2, 4], pa.int32()), values, mask=pa.array([False, True, False]))
    assert column.to_pylist() == [["a"], None, [None, "b"]]
    assert_right(column, ["a", None, "b"])


def test_a_dictionary_may_hold_nulls_and_repeats():
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["a", None, "A", "a"]))
    assert_right(pa.ListArray.from_arrays(pa.array([0, 2, 4], pa.int32()), coded), ["a", "a"])


def test_decoded_cells_beyond_offsets_of_32_bits():
    """A dictionary of long cells decodes to more than 2 GB, which no test should: the type is what makes it fit."""
    (chunk,) = chunks_of(pa.array(["a", "b"]).dictionary_encode())
    assert chunk.type == pa.large_string()
