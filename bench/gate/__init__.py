"""Judging a change from what was measured: pure functions over rows, no clock, no file, no process."""
