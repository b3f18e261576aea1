"""A dataset from a file of the user's own: `add` is the way in for records, `interactions` for interactions."""
