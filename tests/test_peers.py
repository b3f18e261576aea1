"""Peers: each needs a library that the extra installs, and their models hold beyond the default objective."""

import re

import pytest
from technobench.cpu_pipeline.peers.needs import peer
from technobench.pipeline import registry
from technobench.pipeline.needs import c_compiler
from technobench.pipeline.stages.predict import Predict
from technobench.pipeline.stages.shap import Shap

from .test_packaging import ROOT, locked, requirements
from .test_stage_predict import scoring_problem
from .variants import answer_of

DISTRIBUTIONS = {
    "daal4py": "scikit-learn-intelex",
    "lignum": "pylignum",
    "woodelf": "woodelf-explainer",
    "surprise": "scikit-surprise",
}
"""Distributions that are not named as what is imported from them."""
FOLDER = ROOT / "cpu_pipeline" / "peers"
DOCUMENT = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")


def variants_of_peers():
    inside = "technobench.cpu_pipeline.peers."
    return [each for each in registry.variants().values() if each.prepare.__module__.startswith(inside)]


def test_the_extra_is_what_the_peers_need():
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.parent.rglob("*.py"))
    imported = set(re.findall(r'peer\("(\w+)"\)', text))
    assert {DISTRIBUTIONS.get(name, name) for name in imported} == set(requirements("peers"))


def test_each_peer_is_described_with_its_locked_version():
    for each in variants_of_peers():
        assert re.search(rf"`{each.stage}/{each.name}`", DOCUMENT), f"{each.stage}/{each.name}"
    for name in requirements("peers"):
        (version,) = locked("peers")[name]
        assert f"{name} {version}" in DOCUMENT, f"docs/peers.md does not say {name} {version}"


def test_a_missing_peer_says_how_to_get_it():
    assert peer("no_such_library").missing() == (
        "package 'no_such_library' is not installed (pip install 'technobench[peers]')"
    )


def test_a_missing_compiler_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "gcc" in c_compiler().missing()
    (tmp_path / "gcc").write_text("#!/bin/sh\n")
    (tmp_path / "gcc").chmod(0o755)
    assert c_compiler().missing() is None


SCORERS = [each for each in variants_of_peers() if each.stage in {"predict", "shap"} and each.missing() is None]
LIMITS = {
    ("predict", "onnxruntime", "binary:logitraw"): "the converter takes the base score for a probability",
}


@pytest.mark.parametrize("each", SCORERS, ids=lambda each: f"{each.stage}/{each.name}")
@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logitraw"])
def test_base_score_of_other_objectives(each, objective):
    """The base score is kept on the scale of the answer, and each library takes it from there in a way of its own."""
    stage = Predict() if each.stage == "predict" else Shap()
    problem = scoring_problem(records=60, rounds=4, objective=objective, base_score=0.8)
    error = stage.error(problem, answer_of(each, problem), stage.reference(problem))
    assert (error > stage.tolerance) == ((each.stage, each.name, objective) in LIMITS), error
