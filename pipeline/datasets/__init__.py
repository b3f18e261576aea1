"""Datasets: one module per maker, each with its ``MAKERS``; `catalogue` finds them and keeps what they make."""
