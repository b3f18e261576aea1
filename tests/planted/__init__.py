"""Planted variants: see `predict`."""
