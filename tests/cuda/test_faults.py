"""Faults of the GPU side: each a row with a status and a reason to act on, and with a fallback the CPU's answer.

What is not real is in boundary/: the driver's library and the packages that a worker process finds on its path.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from technobench.bench.case_run import CaseRun, Settings
from technobench.bench.cases import groups
from technobench.bench.child import Child
from technobench.bench.device_faults import WRONG, explained
from technobench.bench.messages import Opened, Task
from technobench.pipeline.row import Status

from ..variants import variants_of

BOUNDARY = Path(__file__).parent / "boundary"
ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = {"trees": ["2"], "depth": ["2"]}


@pytest.fixture(scope="module")
def driver_folder(tmp_path_factory):
    """A folder with a libcuda.so.1 that answers as the environment says."""
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler (program 'g++' is not on the PATH)")
    folder = tmp_path_factory.mktemp("driver")
    library = folder / "libcuda.so.1"
    subprocess.run(["g++", "-shared", "-fPIC", "-o", library, BOUNDARY / "libcuda.cpp"], check=True)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run, with the references that workers are to be compared with."""
    made = tmp_path_factory.mktemp("run")
    for stage in ("predict",):
        (group,) = groups([stage], [], ["whotracksme"], [1.0], None, SMALL)
        child = Child(1, made / "log")
        child.ask(Task(stage, None, group.dataset, group.scale, group.parameters, str(made)), Opened, 120)
        child.close()
    return made


@pytest.fixture
def run(monkeypatch, driver_folder, folder):
    """The row of a CUDA variant whose worker meets a fault; that its packages are installed is taken for granted."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver_folder))
    monkeypatch.setenv("PYTHONPATH", f"{BOUNDARY}:{ROOT}")

    def row(name, fault, fallback=None, after=0, device_memory=None, **told):
        for key, value in {"FAULT": fault, "FAULT_AFTER": after, **told}.items():
            monkeypatch.setenv(key, str(value))
        stage, _, variant = name.partition("/")
        (group,) = groups([stage], [variant], ["whotracksme"], [1.0], None, SMALL)
        settings = Settings("r", "s", "", 1, 60, 2, 120, None, device_memory, fallback)
        case = CaseRun(group, replace(variants_of(stage)[variant], needs=()), settings, "", folder)
        try:
            case.start(variants_of(stage).get(fallback))
            while case.active and len(case.rounds) < 2:
                case.round()
            return case.finish()
        finally:
            case.stop()

    return row


def test_without_a_fault_the_doubles_do_the_work(run):
    """So that what the faults are seen to do is the faults' doing; nothing here ran on a device."""
    row = run("predict/native-cuda", "", device_memory=1 << 30)
    assert (row.status, row.reason) == (Status.OK, None)
    assert row.executed == "predict/native-cuda@cuda"
    assert row.device_memory == 1 << 30


@pytest.mark.parametrize(
    ("name", "fault", "said", "mended"),
    [
        ("predict/native-cuda", "another CUDA", "cudaErrorInsufficientDriver", "update the driver"),
        ("predict/native-cuda", "busy", "cudaErrorDevicesUnavailable", "nvidia-smi"),
        ("predict/native-cuda", "library", "libnvrtc.so.13", "install the extra"),
        ("predict/native-cuda", "memory", "Out of memory", "--device-memory"),
        ("matrix_build/cudf", "cudf", "DynamicLibNotFoundError", "install the extra"),
    ],
)
def test_a_fault_is_a_failure_with_what_mends_it(run, name, fault, said, mended):
    row = run(name, fault)
    assert row.status is Status.FAILED
    assert said in row.reason and mended in row.reason


@pytest.mark.parametrize(
    ("name", "fault", "after", "said"),
    [
        ("predict/native-cuda", "NaN", 0, WRONG),
        ("predict/native-cuda", "memory in the middle", 4, "Out of memory"),
        ("predict/native-cuda", "wrong in the middle", 1, WRONG),
    ],
)
def test_the_cpu_stands_in_with_the_right_answer(run, name, fault, after, said):
    """Also where the first runs were well."""
    row = run(name, fault, fallback="xgboost", after=after)
    assert row.status is Status.FELL_BACK, row.reason
    assert row.reason.startswith("'xgboost' stood in: ") and said in row.reason
    assert row.executed == "predict/xgboost@cpu"
    assert 0 <= row.error <= row.tolerance
    assert row.seconds


def test_a_wrong_answer_that_nothing_stands_in_for_is_a_mismatch(run):
    row = run("predict/native-cuda", "wrong")
    assert row.status is Status.MISMATCH and WRONG in row.reason


def test_a_library_without_cuda_falls_back_by_itself_and_is_found_out(run):
    row = run("predict/xgboost-cuda", "no CUDA in it")
    assert (row.status, row.reason) == (Status.FELL_BACK, "asked for cuda, the work was done on cpu")


def test_a_cap_too_small_for_the_model_is_unavailable(run):
    row = run("predict/native-cuda", "", device_memory=1024)
    assert row.status is Status.UNAVAILABLE
    assert "raise --device-memory" in row.reason


FREE = "from technobench.gpu_pipeline.device_memory import left_to_others; print(left_to_others())"
DOCTOR = "import json; from technobench.bench.gpu_doctor import gpu_findings; print(json.dumps(gpu_findings()))"


def told_by(code, driver_folder, **told):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(driver_folder), **told}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"DRIVER_STARTS": "100"}, "see nvidia-smi and CUDA_VISIBLE_DEVICES"),
        ({"DRIVER_STARTS": "803"}, "restart the machine"),
        ({"DRIVER_COUNTS": "0"}, "see nvidia-smi and CUDA_VISIBLE_DEVICES"),
        ({"DRIVER_OPENS": "46"}, "the device is busy"),
        ({"DRIVER_OPENS": "2"}, "its memory is used up"),
    ],
)
def test_a_driver_that_does_not_help_says_what_does(driver_folder, told, said):
    assert said in told_by(FREE, driver_folder, **told)
    _, lacks = json.loads(told_by(DOCTOR, driver_folder, **told))
    assert any(said in each for each in lacks)


def test_what_the_device_has_free_is_planned_with_but_for_a_share(driver_folder):
    assert int(told_by(FREE, driver_folder)) == int(0.9 * (15 << 30))


def test_the_doctor_without_a_driver_and_with_one(driver_folder, tmp_path):
    _, lacks = json.loads(told_by(DOCTOR, tmp_path, PYTHONPATH=str(BOUNDARY)))
    assert "install NVIDIA's driver" in lacks[0]
    for version, extra in (("12080", "gpu-cu12"), ("13010", "gpu-cu13")):
        has, lacks = json.loads(told_by(DOCTOR, driver_folder, DRIVER_VERSION=version))
        assert f"runs CUDA {version[:2]}." in has[0]
        assert "Double of a device, compute capability 8.6, memory 16.0 GiB" in has
        assert "15.0 GiB of it free" in has
        assert all(extra in each for each in lacks if each.startswith("package"))
    _, lacks = json.loads(told_by(DOCTOR, driver_folder, DRIVER_VERSION="11040", DRIVER_MAJOR="6"))
    assert "a driver that runs CUDA 12: update NVIDIA's driver" in lacks
    assert any("compute capability 7.5" in each for each in lacks)


def test_the_doctor_sees_packages_of_a_cuda_that_the_driver_does_not_run(driver_folder, tmp_path):
    for name in ("cupy_cuda13x", "cudf_cu13", "nvidia_ml_py"):
        (tmp_path / f"{name}-1.dist-info").mkdir()
        (tmp_path / f"{name}-1.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    _, lacks = json.loads(told_by(DOCTOR, driver_folder, PYTHONPATH=str(tmp_path)))
    assert any(each.startswith("a driver that runs CUDA 13") and "gpu-cu12" in each for each in lacks)
    _, lacks = json.loads(told_by(DOCTOR, driver_folder, PYTHONPATH=str(tmp_path), DRIVER_VERSION="13000"))
    assert not any("cupy" in each or "driver" in each for each in lacks)


NAMED = "from technobench.pipeline.needs import cuda_package; print(cuda_package('cudf').missing())"
FINGERPRINT = "import json; from technobench.bench.host import fingerprint; print(json.dumps(fingerprint()))"


@pytest.mark.parametrize(("version", "build"), [("11040", 12), ("12080", 12), ("13000", 13), ("14000", 13)])
def test_a_missing_package_is_named_as_built_for_the_driver(driver_folder, version, build):
    assert f"pip install cudf-cu{build}" in told_by(NAMED, driver_folder, DRIVER_VERSION=version)


def test_the_host_of_a_row_has_its_device(driver_folder, tmp_path):
    found = json.loads(told_by(FINGERPRINT, driver_folder, DRIVER_VERSION="12080"))
    assert (found["gpu"], found["gpu_driver"]) == ("Double of a device", "CUDA 12.8")
    assert not {"gpu", "gpu_driver"} & json.loads(told_by(FINGERPRINT, tmp_path)).keys()


def test_what_nobody_knows_is_told_as_it_is():
    assert explained("ValueError: 5") == "ValueError: 5"
