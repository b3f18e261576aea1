"""Engines of the rating models, compiled; the classes to use are in `technobench.cpu_pipeline.ratings`."""
