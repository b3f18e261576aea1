"""Every CUDA variant on a device: right, and run there; skipped without one, failed under TECHNOBENCH_REQUIRE=cuda."""

import os
import subprocess
import sys

import pytest
from technobench.pipeline import registry

from .conftest import SMALL

RATINGS = ("--dataset", "planted-ratings", "--param", "model=knn-means", "--param", "judged_folds=1")
"""What the variants of `ratings` do on the device; SVD, the stage's own default, they refuse."""
ON_CUDA = [each for each in registry.variants().values() if each.device == "cuda"]


@pytest.mark.cuda
@pytest.mark.parametrize("variant", ON_CUDA, ids=lambda each: f"{each.stage}-{each.name}")
def test_on_the_device(technobench, variant):
    selection = ("--stage", variant.stage, "--variant", variant.name, "--rounds", "3", "--require", "cuda")
    data = RATINGS if variant.stage == "ratings" else SMALL
    done = technobench("run", *selection, "--json", "-", *data)
    assert done.code == 0, done.err
    row = done.row(variant.name)
    assert row["status"] == "ok", row["reason"]
    assert row["executed"] == f"{variant.stage}/{variant.name}@cuda"


def test_there_are_variants_to_run():
    assert {each.stage for each in ON_CUDA} >= {"matrix_build", "features", "predict", "shap", "pipeline", "ratings"}


def test_a_skip_becomes_a_failure_where_cuda_is_required():
    """The other direction of the same promise: no device, and yet nothing skipped."""
    from technobench.pipeline.needs import cuda_device_count

    if isinstance(cuda_device_count(), int):
        pytest.skip("this machine has a CUDA device")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "TECHNOBENCH_REQUIRE": "cuda"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "TECHNOBENCH_REQUIRE=cuda is not met" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


def test_variants_without_a_device_say_why():
    from technobench.pipeline.needs import cuda_device_count

    if isinstance(cuda_device_count(), int):
        pytest.skip("this machine has a CUDA device")
    for variant in ON_CUDA:
        assert "CUDA driver" in variant.missing()
