"""The harness: run, monitor, store, show, and the command line. It finds variants through the registry only."""

if __name__ == "bench":
    raise ImportError("import technobench.bench, not bench: two copies would make two registries")
