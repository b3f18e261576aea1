"""When precomputing pays: the pure part of the comparison, and that the script runs."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parent.parent / "tools" / "compare_recommend.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("compare_recommend", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_break_even_is_where_both_take_as_long(tool):
    requests = tool.break_even(precompute=3.0, compute=0.002, retrieve=0.0005)
    assert requests * 0.002 == pytest.approx(3.0 + requests * 0.0005)
    assert tool.break_even(0.0, 1.0, 0.5) == 0
    assert tool.break_even(1.0, 0.5, 0.5) == tool.break_even(1.0, 0.5, 0.6) == float("inf")


def test_the_script_compares(tool, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compare", "--users", "50", "--items", "200", "--factors", "8", "--rounds", "1"])
    monkeypatch.setattr(tool, "REQUESTS", 20)
    tool.main()
    told = capsys.readouterr().out
    assert told.count("implicit / native") == told.count("precomputing pays") == 2
    assert "identical lists 100" in told
