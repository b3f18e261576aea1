"""Finds stages and variants: every module of ``pipeline.stages`` and of the packages named as entry points.

The registry is the same on every machine: a variant whose package or device is missing is found all the same.
"""

import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from . import stages as stages_package
from .contract import Stage, Variant, registered

ENTRY_POINTS = "technobench.variants"


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{found.name}")


@functools.cache
def stages() -> dict[str, Stage]:
    """All stages by name, in the order of the workload (`Stage` subclasses' ``order``, then name)."""
    found = [
        kind()
        for module in _modules(stages_package)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Stage) and kind.__module__ == module.__name__
    ]
    return {stage.name: stage for stage in sorted(found, key=lambda stage: (stage.order, stage.name))}


@functools.cache
def variants() -> dict[tuple[str, str], Variant]:
    """All variants by stage and name: by stage in the order of the workload, then in the order of their files.

    Raises:
        LookupError: no package is registered (the distribution is not installed), or a variant's stage is unknown.

    """
    points = sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    if not points:
        raise LookupError("no variants found: install the distribution (pip install -e .) so that entry points exist")
    for point in points:
        list(_modules(importlib.import_module(point.value)))
    order = {name: position for position, name in enumerate(stages())}
    for stage, name in registered():
        if stage not in order:
            raise LookupError(f"variant {stage}/{name} is of no known stage; stages are {', '.join(order)}")
    packages = [point.value for point in points]

    def place(each: Variant) -> tuple[int, int]:
        """Its stage's and its package's place; which package was imported first is an accident."""
        return order[each.stage], packages.index(each.prepare.__module__.rpartition(".")[0])

    return {(each.stage, each.name): each for each in sorted(registered().values(), key=place)}
