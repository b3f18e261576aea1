"""Records that come in chunks and batches since they do not fit: the same answers, within the memory planned with."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.gpu_pipeline import device_memory as device_memory_module
from technobench.gpu_pipeline import features, final_matrix, matrix_build, pipeline, technology_chunks
from technobench.gpu_pipeline.technology_chunks import chunks_of, strings_of
from technobench.pipeline.errors import DeviceError
from technobench.pipeline.stages.features import Features
from technobench.pipeline.stages.matrix_build import MatrixBuild, MatrixProblem
from technobench.pipeline.stages.pipeline import PHASES, Pipeline

from ..test_stage_features import problem_of
from ..test_stage_pipeline import hostile  # noqa: F401 - a fixture
from .cudf_standin import Frames
from .sparse_standin import in_place_of_cupy

CELLS = ["C++|Node.js|R", None, "", "r | c++", "Ruby||ruby", "Ω|ß|ss", "Java", "R", "Node.JS|Java|C", "Perl|C++"] * 7


@pytest.fixture
def on_device(monkeypatch, cupy, device_memory):
    """Stand-ins in the place of CuPy and cuDF, whose device has not a byte more than is planned with."""
    in_place_of_cupy(monkeypatch, cupy)
    monkeypatch.setitem(sys.modules, "cudf", Frames("cudf"))
    monkeypatch.setattr(device_memory_module, "PLANNED_SHARE", 1.0)
    return device_memory


def right(stage, prepare, problem):
    prepared = prepare(problem)
    answer = prepared.fetch(prepared.run())
    assert prepared.ran_on() == "cuda"
    assert stage.error(problem, answer, stage.reference(problem)) <= stage.tolerance
    return answer, prepared


def parts_of(monkeypatch, owner, name):
    """First and end of the records that each call of a method is for."""
    real, found = getattr(owner, name), []

    def seen(self, given, first, last):
        found.append((first, last))
        return real(self, given, first, last)

    monkeypatch.setattr(owner, name, seen)
    return found


def assert_all_in_turn(parts, records):
    assert [record for first, last in parts for record in range(first, last)] == list(range(records))


@pytest.mark.parametrize(("training", "least"), [(70, 1), (35, 6), (1, 1), (0, 1), (8, 2)])
@pytest.mark.parametrize("most", [16, 20, 100, 2**31 - 1])
def test_chunks_below_the_limit_of_a_column_give_the_whole_matrix(monkeypatch, on_device, training, least, most):
    monkeypatch.setattr(technology_chunks, "MOST_OF_A_COLUMN", most)
    split = chunks_of(strings_of(CELLS), "|", 1 << 30)
    assert_all_in_turn(split, len(CELLS))
    for first, last in split:
        cells = [cell or "" for cell in CELLS[first:last]]
        assert sum(len(cell.encode()) for cell in cells) <= most, "bytes of the strings"
        assert sum(len(cell.split("|")) for cell in cells) <= most, "leaves of the lists"
    assert (len(split) > 1) == (most <= 100)
    answer, _ = right(MatrixBuild(), matrix_build.cudf, MatrixProblem(CELLS, "|", training, least))
    assert answer.matrix.has_canonical_format


@pytest.mark.parametrize("cells", [[], [None, None], ["", "|", " "], ["one"]])
@pytest.mark.parametrize("most", [4, 2**31 - 1])
def test_hardly_any_cells(monkeypatch, on_device, cells, most):
    monkeypatch.setattr(technology_chunks, "MOST_OF_A_COLUMN", most)
    right(MatrixBuild(), matrix_build.cudf, MatrixProblem(cells, "|", len(cells)))


def test_rows_without_bytes_count_as_well(monkeypatch):
    monkeypatch.setattr(technology_chunks, "MOST_OF_A_COLUMN", 5)
    split = chunks_of(strings_of(["", None, "|"] * 9), "|", 1 << 30)
    assert_all_in_turn(split, 27)
    assert all(last - first <= 5 for first, last in split)


def test_a_delimiter_of_several_characters_and_cells_in_pieces(on_device):
    cells = ["a<>b", "<>", "b<>a<>c", None, "a<b>"] * 30
    on_device(24_000)
    assert len(chunks_of(strings_of(cells), "<>", 24_000)) > 10
    right(MatrixBuild(), matrix_build.cudf, MatrixProblem(cells, "<>", 40))


def test_the_matrix_keeps_to_any_memory(on_device):
    """The stand-ins count CuPy's arrays and cuDF's strings; what cuDF takes besides is in the estimate alone."""
    problem, numbers = MatrixProblem(CELLS, "|", 35), set()
    for free in (1 << 20, 40_000, 30_000, 20_000):
        memory = on_device(free)
        numbers.add(len(chunks_of(strings_of(CELLS), "|", free)))
        before = memory.used
        right(MatrixBuild(), matrix_build.cudf, problem)
        assert memory.peak <= before + free
    assert min(numbers) == 1 and max(numbers) > 4
    on_device(17_000)
    with pytest.raises(DeviceError, match=r"record 0 .*--device-memory"):
        matrix_build.cudf(problem)


def test_a_cell_that_no_column_holds_is_refused(monkeypatch):
    monkeypatch.setattr(technology_chunks, "MOST_OF_A_COLUMN", 14)
    with pytest.raises(DeviceError, match=r"record 8 has 14 bytes of technologies, .* CPU"):
        chunks_of(strings_of(CELLS), "|", 1 << 30)


def features_problem(records=200):
    random = np.random.default_rng(5)

    def some(values, nulls=0.2):
        return [None if random.random() < nulls else values[random.integers(len(values))] for _ in range(records)]

    known = (random.random(records) < 0.8).tolist()
    revenue = some([0.0, -0.0, 1e-45, 2.5, -3e38])
    problem = problem_of(some(["a", "b", "", "c"]), revenue, some([f"{n}" for n in range(90)]), 120, known)
    dense = (random.random((records, 40)) < 0.3) & np.array(known)[:, None]
    names = tuple(f"t{number:02}" for number in range(40))
    return replace(problem, technologies=sp.csr_matrix(dense.astype(np.int8)), names=names)


def test_features_are_the_same_in_any_number_of_batches(monkeypatch, on_device):
    problem = features_problem()
    on_device(1 << 30)
    expected, _ = right(Features(), features.cupy, problem)
    parts, numbers = parts_of(monkeypatch, final_matrix.FinalMatrix, "rows"), set()
    for free in (1 << 20, 300_000, 100_000, 60_000, 30_000, 25_000):
        parts.clear()
        on_device(free)
        answer, _ = right(Features(), features.cupy, problem)
        assert_all_in_turn(parts, 200)
        numbers.add(len(parts))
        for part in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(answer.matrix, part), getattr(expected.matrix, part))
    assert min(numbers) == 1 and max(numbers) > 10
    on_device(10_000)
    with pytest.raises(DeviceError, match=r"record 0 .*--device-memory"):
        features.cupy(problem)


def test_the_estimate_of_features_is_near_what_is_allocated(monkeypatch, on_device):
    """A batch is not far smaller than it could be."""
    problem, free = features_problem(2000), 400_000
    parts = parts_of(monkeypatch, final_matrix.FinalMatrix, "rows")
    memory = on_device(free)
    before = memory.used
    right(Features(), features.cupy, problem)
    assert len(parts) > 1
    assert free / 3 < memory.peak - before <= free


@pytest.fixture
def pipeline_problem(hostile):  # noqa: F811
    """A recommender of few factors: its systems are not to be all that takes memory."""
    items = hostile.recommender
    vectors = np.random.default_rng(0).normal(size=(len(items.names), 5)).astype(np.float32)
    return replace(hostile, recommender=replace(items, vectors=vectors))


def chunks_seen(monkeypatch):
    """What the pipeline splits cells into, run by run."""
    split, found = pipeline.chunks_of, []
    monkeypatch.setattr(pipeline, "chunks_of", lambda *given: found.append(split(*given)) or found[-1])
    return found


def test_the_pipeline_is_the_same_in_any_number_of_batches(monkeypatch, on_device, pipeline_problem):
    on_device(1 << 30)
    expected, whole = right(Pipeline(), pipeline.native_cuda, pipeline_problem)
    parts, chunks = parts_of(monkeypatch, final_matrix.FinalMatrix, "rows"), chunks_seen(monkeypatch)
    numbers = set()
    for free in (1 << 22, *(int(160_000 * 0.75**step) for step in range(9))):
        parts.clear()
        memory = on_device(free)
        before = memory.used
        try:
            answer, prepared = right(Pipeline(), pipeline.native_cuda, pipeline_problem)
        except DeviceError as error:
            assert "--device-memory" in str(error)
            break
        assert memory.used == before, "nothing stays on the device"
        assert_all_in_turn(parts, 90)
        assert_all_in_turn(chunks[-1], 90)
        numbers.add((len(chunks[-1]), len(parts)))
        for each in ("features", "recommended"):
            np.testing.assert_array_equal(getattr(answer, each), getattr(expected, each))
        for each in ("scores", "values", "recommended_scores"):
            np.testing.assert_allclose(getattr(answer, each), getattr(expected, each), rtol=1e-6)
        assert tuple(prepared.phases()) == (*PHASES, "to device", "to host")
        copied = sum(prepared.transferred().values())
        assert (copied > sum(whole.transferred().values())) == (len(parts) > 1), "what waits on the host is counted"
    else:
        pytest.fail("no cap was refused")
    assert min(numbers) == (1, 1) and min(max(numbers)) > 1, numbers


def test_technologies_wait_on_the_host_where_they_fit_and_their_records_do_not(
    monkeypatch, on_device, pipeline_problem
):
    """Long lists take the room of the records, and not that of the cells before them."""
    problem = replace(pipeline_problem, recommendations=1500)
    parts, chunks = parts_of(monkeypatch, final_matrix.FinalMatrix, "rows"), chunks_seen(monkeypatch)
    on_device(700_000)
    right(Pipeline(), pipeline.native_cuda, problem)
    assert len(chunks[-1]) == 1 < len(parts)
    assert_all_in_turn(parts, 90)


def test_each_run_of_the_pipeline_counts_for_itself_in_batches_too(on_device, pipeline_problem):
    on_device(80_000)
    _, prepared = right(Pipeline(), pipeline.native_cuda, pipeline_problem)
    copied = prepared.transferred()
    prepared.run()
    assert prepared.transferred() == copied
