"""Variants that run on a CUDA device: one module per stage, with the same file name as its CPU twin."""

if __name__ == "gpu_pipeline":
    raise ImportError("import technobench.gpu_pipeline, not gpu_pipeline: two copies would make two registries")
