"""The GPU side without a GPU."""
