"""Variants that run on the CPU: one module per stage, named after it."""

if __name__ == "cpu_pipeline":
    raise ImportError("import technobench.cpu_pipeline, not cpu_pipeline: two copies would make two registries")
