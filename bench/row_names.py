"""What to call a row among the others of its run: by what tells it from them, and no more."""

from collections.abc import Sequence

from ..pipeline.row import Row


def varied(row: Row, rows: Sequence[Row]) -> list[str]:
    """``name=value`` of the parameters that other rows of the stage have otherwise."""
    others = [other.parameters for other in rows if other.stage == row.stage]
    return [f"{name}={value}" for name, value in row.parameters.items() if any(value != o.get(name) for o in others)]


def problem_name(row: Row, rows: Sequence[Row]) -> str:
    """``dataset@scale``, what is varied, and the threads where they are."""
    threads = [f"threads={row.threads}"] if any(other.threads != row.threads for other in rows) else []
    return " ".join([f"{row.dataset}@{row.scale:g}", *varied(row, rows), *threads])


def case_name(row: Row, rows: Sequence[Row]) -> str:
    """``stage/variant`` and `problem_name`: as `Group.case_name` has it, and no two rows of a run have the same."""
    return f"{row.stage}/{row.variant} {problem_name(row, rows)}"
