"""Variants that a plan has no figure of: why, and what would measure them. Never a guess from a data sheet."""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ...pipeline.contract import Variant
from ...pipeline.row import Row, Status


@dataclass(frozen=True)
class NotMeasured:
    """A variant without a figure, why, and the command that would measure it on a machine that can."""

    variant: str
    device: str
    reason: str
    command: str


def not_measured(
    rows: Sequence[Row], stage: str, measured: Collection[str], variants: Sequence[Variant], dataset: str | None
) -> tuple[NotMeasured, ...]:
    """The variants of a stage that are not among the measured ones, in their order."""
    newest = {row.variant: row for row in sorted(rows, key=lambda row: row.started) if row.stage == stage}
    return tuple(
        NotMeasured(each.name, each.device, _reason(newest.get(each.name)), _command(each, dataset))
        for each in variants
        if each.stage == stage and each.name not in measured
    )


def _reason(row: Row | None) -> str:
    if row is None:
        return "no row of it among the results"
    if row.status is Status.OK:
        return f"measured on other data alone: {row.dataset}, or with other parameters"
    return f"{row.status.value}: {row.reason}" if row.reason else row.status.value


def _command(variant: Variant, dataset: str | None) -> str:
    words = ["technobench", "run", "--stage", variant.stage, "--variant", variant.name]
    words += ["--dataset", dataset] if dataset else []
    words += ["--require", "cuda"] if variant.device == "cuda" else []
    return shlex.join(words)
