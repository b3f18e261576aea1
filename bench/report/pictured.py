"""The sections that are pictures: phases, scaling, accuracy, memory. Each picture has its table."""

from collections.abc import Sequence

from ...pipeline.row import Row
from .cells import empty_section
from .document import Block, Paragraph, Section
from .fits import fits
from .pictures.accuracy import accuracy
from .pictures.memory import memory
from .pictures.phases import phases
from .pictures.scaling import scaling


def phases_section(rows: Sequence[Row]) -> Section:
    """Where the time of the whole pipeline goes."""
    name, title = "phases", "Where the pipeline's time goes"
    picture = phases(rows)
    if picture is None:
        return empty_section(
            name,
            title,
            "No right answer here is of a run with phases.",
            "Measure the pipeline phase by phase",
            "technobench run --dataset seed --stage pipeline",
        )
    return Section(name, title, (picture,))


def scaling_section(rows: Sequence[Row]) -> Section:
    """How time grows with size, and shrinks with threads."""
    name, title = "scaling", "How time grows"
    found = scaling(fits(rows))
    if not found:
        return empty_section(
            name,
            title,
            "No case here was measured at several sizes or numbers of threads.",
            "Measure along an axis",
            "technobench sweep --dataset seed --stage shap --variant native --axis rows --points 10k,40k,160k",
        )
    told = "A fit is drawn with its 95 % band; beyond what was measured both are dashed."
    return Section(name, title, (Paragraph(told), *found))


def accuracy_section(rows: Sequence[Row]) -> Section:
    """What accuracy costs."""
    name, title = "accuracy", "Accuracy against speed"
    found: list[Block] = [*accuracy(rows)]
    if not found:
        return empty_section(
            name,
            title,
            "No answer here was checked by a measure that can be other than zero.",
            "Check scores and explanations",
            "technobench run --dataset seed --stage predict --stage shap",
        )
    return Section(name, title, tuple(found))


def memory_section(rows: Sequence[Row]) -> Section:
    """What memory a case takes at its peak, on the host and on the device."""
    name, title = "memory", "Memory"
    picture = memory(rows)
    if picture is None:
        return empty_section(
            name, title, "No case here has its memory measured.", "Measure it", "technobench run --dataset seed"
        )
    return Section(name, title, (picture,))
