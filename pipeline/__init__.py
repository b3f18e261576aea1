"""What both sides share: the contract, the stages, the datasets and the shared layouts.

This package imports none of ``cpu_pipeline``, ``gpu_pipeline`` and ``bench``; ``tests/test_layering.py`` holds that.
"""

if __name__ == "pipeline":
    raise ImportError("import technobench.pipeline, not pipeline: two copies would make two registries")
