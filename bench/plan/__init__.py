"""The capacity plan: pure functions from rows to curves, models, and what must be bought."""
