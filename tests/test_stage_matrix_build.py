"""Matrix build: what a name is, and every variant against an independent count."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.pipeline.errors import InputError
from technobench.pipeline.stages.matrix_build import MatrixAnswer, MatrixBuild, MatrixProblem, vocabulary_of
from technobench.pipeline.technologies import Vocabulary, items, join, normalise

from .variants import answer_of, variants_of

STAGE = MatrixBuild()
HERE = [each for each in variants_of("matrix_build").values() if each.missing() is None]
every_variant = pytest.mark.parametrize("variant", HERE, ids=lambda each: each.name)


def problem_of(*cells, training=None, frequency=1, delimiter="|", batch=1000):
    return MatrixProblem(list(cells), delimiter, len(cells) if training is None else training, frequency, batch)


def dense_by_hand(problem):
    """Independent of `items` and of the reference: by str.split, str.strip and str.casefold, for ASCII cells only."""
    rows = [
        None if cell is None else {part.strip().casefold() for part in cell.split(problem.delimiter)} - {""}
        for cell in problem.cells
    ]
    counts: dict[str, int] = {}
    for row in rows[: problem.training_records]:
        for name in row or ():
            counts[name] = counts.get(name, 0) + 1
    names = sorted(name for name, count in counts.items() if count >= problem.min_frequency)
    return names, np.array([[name in (row or ()) for name in names] for row in rows]).reshape(len(rows), len(names))


CASES = {
    "empty": problem_of(),
    "one row": problem_of("a|b"),
    "no non-zeros": problem_of("", "|", "||", None),
    "only nulls": problem_of(None, None),
    "names that tokenizers lose": problem_of("C++|Node.js|R", "r|C#|.NET", "Ruby|AT&T (Cloud)|A/B 2.0"),
    "substrings": problem_of("R", "Ruby", "Java|JavaScript", "Go|Google Analytics"),
    "duplicates within a record": problem_of("a|A| a |a", "b|b"),
    "empty items": problem_of("a||b", "|a|", " | a | "),
    "null among others": problem_of("a", None, "b"),
    "words of absence are names": problem_of("none|n/a|null|nan|unknown|0|False"),
    "another delimiter": problem_of("a;b|c", "b|c", delimiter=";"),
    "a long delimiter": problem_of("a, b, c,d", delimiter=", "),
    "a delimiter of regular expressions": problem_of("a.b", "c.b", delimiter="."),
    "training records only": problem_of("a|b", "a", "c|a|d", training=2),
    "no training records": problem_of("a|b", "a", training=0),
    "minimum frequency": problem_of("a|b", "a|c", "a|b", "c", frequency=2),
    "minimum frequency among training records": problem_of("a|b", "a|c", "c", "c", training=2, frequency=2),
    "batches that do not divide": problem_of(*(f"t{i % 7}|t{i % 3}|u" for i in range(23)), batch=5),
    "one long record": problem_of("|".join(f"t{i}" for i in range(3000)), "t1"),
    "quotes, blanks and control characters": problem_of('"a"|\t b\n', "'a'|b", "\x00|a b|a  b"),
}


@pytest.mark.parametrize("case", CASES)
@every_variant
def test_every_variant_against_a_count_by_hand(variant, case):
    problem = CASES[case]
    answer = answer_of(variant, problem)
    names, dense = dense_by_hand(problem)
    assert list(answer.names) == names
    assert answer.matrix.dtype == np.int8
    assert (answer.matrix.toarray() == dense).all()
    assert answer.known.tolist() == [cell is not None for cell in problem.cells]
    assert STAGE.error(problem, answer, STAGE.reference(problem)) == 0


CELL = st.none() | st.lists(
    st.sampled_from(
        ["a", "A ", "é", "e\u0301", "É", "ß", "SS", "İ", "ﬁ", "ΟΔΟΣ", "οδος", "東雲", "", " ", "r", "R&D", "\u00a0x"]
    )
    | st.text(st.characters(exclude_characters="|", exclude_categories=["Cs"]), max_size=4),
    max_size=6,
).map("|".join)


@every_variant
@settings(deadline=None, max_examples=60)
@given(
    cells=st.lists(CELL, max_size=8), training=st.integers(0, 8), frequency=st.integers(1, 3), batch=st.integers(1, 4)
)
def test_every_variant_against_the_reference_on_any_text(variant, cells, training, frequency, batch):
    problem = problem_of(*cells, training=min(training, len(cells)), frequency=frequency, batch=batch)
    assert STAGE.error(problem, answer_of(variant, problem), STAGE.reference(problem)) == 0


@given(st.text())
def test_normalising_a_name_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_is_the_same(text):
    assert normalise(text) == text.strip().casefold()


def test_case_and_composition_are_one_name():
    assert items("Café|CAFE\u0301|café ", "|") == {"café"}
    assert items("Straße|STRASSE", "|") == {"strasse"}


def test_unseen_technologies_are_counted():
    problem = problem_of("a|b", "a|c|d", "c", training=1)
    answer = STAGE.reference(problem)
    assert (answer.names, answer.unseen, answer.matrix.nnz) == (("a", "b"), 3, 3)
    assert answer.unseen_share == 0.5


def changed(answer, **values):
    return MatrixAnswer(**{**vars(answer), **values})


def test_the_error_sees_every_kind_of_wrong_answer():
    problem = problem_of("a|b|c", "b", None, "c", "d", training=4)
    right = STAGE.reference(problem)
    dense = right.matrix.toarray()
    flipped = dense.copy()
    flipped[1, 0] = 1
    wrong = {
        "an entry too many": changed(right, matrix=sp.csr_matrix(flipped)),
        "an entry of 2": changed(right, matrix=right.matrix * 2),
        "columns swapped": changed(right, matrix=sp.csr_matrix(dense[:, ::-1])),
        "names swapped": changed(right, names=right.names[::-1]),
        "a name too few": changed(right, names=right.names[:-1]),
        "known forgotten": changed(right, known=np.ones(5, bool)),
        "unseen forgotten": changed(right, unseen=0),
        "a row too few": changed(right, matrix=right.matrix[:-1]),
    }
    assert STAGE.error(problem, right, right) == 0
    for what, answer in wrong.items():
        assert STAGE.error(problem, answer, right) > 0, what


def test_row_pointers_beyond_32_bits():
    from technobench.pipeline.stages.matrix_build import row_pointers

    lengths = np.broadcast_to(np.int32(2**30), 5)
    assert row_pointers(lengths)[-1] == 5 * 2**30


def test_vocabulary_survives_its_file_and_damage_is_seen(tmp_path):
    problem = problem_of("C++|東雲|R")
    vocabulary = vocabulary_of(problem, STAGE.reference(problem))
    path = tmp_path / "vocabulary.json"
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    path.write_text(path.read_text().replace("c++", "c--"))
    with pytest.raises(InputError, match="damaged"):
        Vocabulary.load(path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"names": ["a"]}', '{"names": [1], "delimiter": "|", "normaliser": "x", "sha256": ""}']
)
def test_what_is_no_vocabulary_is_refused(tmp_path, content):
    path = tmp_path / "vocabulary.json"
    path.write_text(content)
    with pytest.raises(InputError, match="not a vocabulary file"):
        Vocabulary.load(path)
    with pytest.raises(InputError, match="no such"):
        Vocabulary.load(tmp_path / "absent.json")


def test_vocabularies_differ_by_delimiter_and_order():
    digests = {
        Vocabulary(names, delimiter).digest for names in (("a", "b"), ("b", "a"), ("a,b",)) for delimiter in "|,"
    }
    assert len(digests) == 6


def test_a_name_with_the_delimiter_cannot_be_joined():
    assert join(["a", "b"], "|") == "a|b"
    with pytest.raises(InputError, match="holds the delimiter"):
        join(["a|b"], "|")
