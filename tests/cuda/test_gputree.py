"""shap's GPUTree as a variant: what it needs, that nothing is touched before, its answer and its batches."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from technobench.gpu_pipeline import gputree, shap
from technobench.pipeline import cuda_driver, needs
from technobench.pipeline.errors import DeviceError, UnsupportedModelError
from technobench.pipeline.registry import variants
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.stages.shap import Shap

from .. import model_kinds
from ..boosters import sparse, trained

BOUNDARY = Path(__file__).parent / "shap_boundary"
VARIANT = variants()["shap", "gputree-cuda"]
IN_A_PACKAGE_OF_ITS_OWN = importlib.util.find_spec("shap.explainers._gpu_tree") is None


class _Driver:
    """A device with so many free bytes; ``used`` is whether the process keeps a context there."""

    count = 1

    def __init__(self, free, used=True):
        self.free_bytes, self.is_used = (lambda: free), (lambda: used)


@pytest.fixture
def driver(monkeypatch):
    def give(free=1 << 30, used=True):
        found = _Driver(free, used)
        for module in (cuda_driver, needs, gputree, sys.modules["technobench.gpu_pipeline.device_memory"]):
            monkeypatch.setattr(module, "driver", lambda: found)

    return give


@pytest.fixture
def backend(monkeypatch, tmp_path):
    """shap-cuda's stand-in, installed; returns the rows of each call of its extension."""
    if not IN_A_PACKAGE_OF_ITS_OWN:
        pytest.skip("this release of shap has GPUTree inside")
    _install(tmp_path, importlib.metadata.version("shap"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(BOUNDARY)
    import shap_cuda._cext_gpu

    shap_cuda._cext_gpu.rows_of_calls.clear()
    yield shap_cuda._cext_gpu.rows_of_calls
    for name in [name for name in sys.modules if name.partition(".")[0] == "shap_cuda"]:
        del sys.modules[name]


def _install(folder, version):
    """What an installer writes of shap-cuda: its version and the entry point that shap looks for."""
    written = folder / f"shap_cuda-{version}.dist-info"
    written.mkdir()
    (written / "METADATA").write_text(f"Metadata-Version: 2.1\nName: shap-cuda\nVersion: {version}\n")
    (written / "entry_points.txt").write_text("[shap.tree_backends]\ncuda = shap_cuda:GPUTreeExplainer\n")


def _problem(booster, matrix, batch_records=1000):
    names = tuple(f"f{column}" for column in range(matrix.shape[1]))
    return ScoringProblem(matrix, names, bytes(booster.save_raw("ubj")), batch_records)


def _kind(name, records=60):
    return _problem(model_kinds.trained(name), model_kinds.as_csr(model_kinds.values(records, seed=3)))


MODELS = {
    "one output": lambda: _problem(trained(sparse(300, 8), max_depth=5, nthread=1), sparse(120, 8, seed=2)),
    "a single leaf": lambda: _problem(trained(sparse(300, 8), gamma=1e9, nthread=1), sparse(9, 8, seed=2)),
    "classes": lambda: _kind("classes"),
    "targets": lambda: _kind("targets"),
    "labels": lambda: _kind("labels"),
    "parallel trees": lambda: _problem(
        trained(sparse(300, 8), num_parallel_tree=3, subsample=0.5, nthread=1), sparse(60, 8, seed=2)
    ),
    "a class without records": lambda: _kind("a class without records"),
}


@pytest.mark.parametrize("made", MODELS.values(), ids=MODELS)
def test_the_answer_is_right_by_the_stage_s_measure(backend, driver, made):
    driver()
    problem = made()
    prepared = shap.gputree_cuda(problem)
    assert prepared.ran_on() == "cpu", "nothing has run"
    assert backend == [], "the extension was called before the run"
    answer = prepared.fetch(prepared.run())
    assert sum(backend) == problem.matrix.shape[0]
    stage = Shap()
    assert stage.error(problem, answer, stage.reference(problem)) <= stage.tolerance / 10
    assert prepared.ran_on() == "cuda"


def test_without_a_context_on_the_device_it_did_not_run_there(backend, driver):
    driver(used=False)
    prepared = shap.gputree_cuda(MODELS["classes"]())
    prepared.run()
    assert prepared.ran_on() == "cpu"


def test_batches_are_as_large_as_fit_and_the_same_answer(backend, driver):
    problem = MODELS["one output"]()
    driver()
    whole = shap.gputree_cuda(problem).run()
    explainer = gputree.GpuTree(problem)
    row_bytes = 2 * (8 * (8 + 1) + (8 + 1) * 8)  # eight values and their marks, and float64 answers, twice
    least = next(left for left in range(1 << 20) if _fits(explainer, left))
    assert explainer.fits(least) == 1
    assert explainer.fits(least + 49 * row_bytes) == 50
    backend.clear()
    driver(free=int((least + 49.5 * row_bytes) / 0.9))
    parts = shap.gputree_cuda(problem).run()
    assert backend == [50, 50, 20]
    np.testing.assert_array_equal(parts.toarray(), whole.toarray())
    with pytest.raises(DeviceError, match=r"the model with a record takes .*--device-memory"):
        explainer.fits(least - 1)


def _fits(explainer, left):
    try:
        return explainer.fits(left) > 0
    except DeviceError:
        return False


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("partitioned categories", "categorical splits"),
        ("vector leaves", "vectors in leaves"),
        ("dropped trees", "weights of trees"),
        ("classes and parallel trees", "parallel trees of several outputs"),
    ],
)
def test_what_shap_cannot_read_is_refused(driver, kind, reason):
    driver()
    with pytest.raises(UnsupportedModelError, match=reason):
        shap.gputree_cuda(_kind(kind))


def test_paths_that_would_abort_the_process_are_refused(monkeypatch, driver):
    driver()
    monkeypatch.setattr(gputree, "DEEPEST", 4)
    with pytest.raises(UnsupportedModelError, match="paths of 5 splits; 4 are its most"):
        shap.gputree_cuda(MODELS["one output"]())


class _Library:
    """The driver's library with one device; ``active`` is what it tells of the device's context."""

    def __init__(self, active, code=0):
        self.active, self.code = active, code

    def __getattr__(self, name):
        return lambda *arguments: 0

    def cuDeviceGetCount(self, count):
        count._obj.value = 1
        return 0

    def cuDevicePrimaryCtxGetState(self, device, flags, active):
        active._obj.value = self.active
        return self.code


def test_the_driver_tells_whether_the_device_is_used():
    assert cuda_driver.Driver(_Library(1)).is_used()
    assert not cuda_driver.Driver(_Library(0)).is_used()
    with pytest.raises(DeviceError, match="cuDevicePrimaryCtxGetState returned 46"):
        cuda_driver.Driver(_Library(1, code=46)).is_used()


without_the_real_one = pytest.mark.skipif(
    importlib.util.find_spec("shap_cuda") is not None, reason="shap-cuda is installed, and does not lack"
)


@without_the_real_one
def test_it_says_what_lacks(monkeypatch, tmp_path):
    """Package, extension, version and device; none of them imported to ask."""
    need = needs.shap_with_cuda()
    assert "'_cext_gpu'" in need.missing() and "pip install 'shap[cuda]'" in need.missing()
    monkeypatch.syspath_prepend(BOUNDARY)
    _install(tmp_path, "0.0.1")
    monkeypatch.syspath_prepend(tmp_path)
    assert "shap-cuda 0.0.1 differ in version" in need.missing()
    assert "shap_cuda" not in sys.modules
    (tmp_path / "shap-cuda").mkdir()
    _install(tmp_path / "shap-cuda", importlib.metadata.version("shap"))
    monkeypatch.syspath_prepend(tmp_path / "shap-cuda")
    assert need.missing() is None
    assert "shap_cuda" not in sys.modules
    monkeypatch.setattr(needs, "driver", lambda: "no CUDA driver")
    assert VARIANT.missing() == "no CUDA driver"


@without_the_real_one
def test_a_build_from_source_has_its_extension_inside(monkeypatch, tmp_path):
    folder = tmp_path / "shap"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.delitem(sys.modules, "shap", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert "no CUDA extension" in needs.shap_with_cuda().missing()
    (folder / "_cext_gpu.py").touch()
    assert needs.shap_with_cuda().missing() is None


def test_asking_imports_nothing():
    """In a process of its own: neither shap nor its backend is loaded by finding out that the variant cannot run."""
    program = (
        "import sys; from technobench.pipeline.registry import variants;"
        "print(variants()['shap', 'gputree-cuda'].missing());"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('shap', 'shap_cuda', 'cupy')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
