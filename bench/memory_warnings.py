"""Before a run: which of its cases would take more memory than there is, by what smaller ones took."""

from collections.abc import Iterator, Sequence

import psutil

from ..pipeline.contract import Variant
from ..pipeline.row import Row
from .cases import Group
from .plan.curves import ROWS, curves, rows_of
from .plan.memory_growth import memory_growth
from .plan.models import NotFitted, Prediction


def memory_warnings(rows: Sequence[Row], group: Group, threads: int) -> Iterator[str]:
    """A sentence for each variant of a group that would not fit, if rows of other sizes can tell.

    A device's memory is no part of it: variants split their work to fit what it has free, or refuse it by themselves.
    """
    available = psutil.virtual_memory().available
    for variant in group.variants:
        needed = expected_peak(rows, group, variant, threads)
        if needed is not None and needed.value > available:
            ends = f"{needed.low / 2**30:.3g} to {needed.high / 2**30:.3g}"
            careful = f" ({needed.caution})" if needed.caution else ""
            yield (
                f"{group.case_name(variant)}: would take some {needed.value / 2**30:.3g} GiB ({ends}),"
                f" {available / 2**30:.3g} GiB are available{careful}"
            )


def expected_peak(rows: Sequence[Row], group: Group, variant: Variant, threads: int) -> Prediction | None:
    """Peak bytes of a case by rows of other sizes of its dataset, from whatever host; None where they are too few."""
    same = [
        row
        for row in rows
        if (row.stage, row.variant, row.dataset, row.threads) == (group.stage, variant.name, group.dataset, threads)
        and row.parameters == group.parameters
        and rows_of(row)
    ]
    found = [
        fitted.at(rows_of(same[0]) * group.scale / same[0].scale)
        for curve in curves(same)
        if curve.axis == ROWS and not isinstance(fitted := memory_growth(curve), NotFitted)
    ]
    return max(found, key=lambda prediction: prediction.value, default=None)
