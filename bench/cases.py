"""Which cases a run has: stages x variants x datasets x scales, chosen by name or by expression."""

import itertools
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..pipeline import registry
from ..pipeline.contract import Scalar, Variant
from ..pipeline.datasets import catalogue
from ..pipeline.errors import InputError
from ..pipeline.row import CaseKey, case_key
from ..pipeline.workload import DEFAULTS

ANCHOR = "batched-sparse"
"""What the other variants of a group are compared with; the first one where it does not run."""
_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")


@dataclass(frozen=True)
class Group:
    """Variants of one stage on one problem: compared with each other, so measured in turn.

    varied: the parameters that tell this group from others of the run.
    """

    stage: str
    dataset: str
    scale: float
    parameters: dict[str, Scalar]
    variants: tuple[Variant, ...] = field(compare=False)
    varied: tuple[str, ...] = field(default=(), compare=False)

    @property
    def problem_name(self) -> str:
        """``dataset@scale``, with varied parameters as ``name=value``."""
        varied = [f"{name}={self.parameters[name]}" for name in self.varied]
        return " ".join([f"{self.dataset}@{self.scale:g}", *varied])

    def case_name(self, variant: Variant) -> str:
        """``stage/variant dataset@scale``, with varied parameters as ``name=value``: what expressions match."""
        return f"{self.stage}/{variant.name} {self.problem_name}"


def matches(expression: str, text: str) -> bool:
    """Whether text satisfies an expression of substrings, ``and``, ``or``, ``not`` and parentheses, as in pytest's -k.

    Raises:
        InputError: the expression is malformed.

    """
    tokens = [*_TOKEN.findall(expression), None]
    position = 0

    def take() -> str | None:
        nonlocal position
        position += 1
        return tokens[position - 1]

    def either() -> bool:
        value = both()
        while tokens[position] == "or":
            take()
            value = both() or value
        return value

    def both() -> bool:
        value = single()
        while tokens[position] == "and":
            take()
            value = single() and value
        return value

    def single() -> bool:
        token = take()
        if token == "not":
            return not single()
        if token == "(":
            value = either()
            if take() != ")":
                raise InputError(f"-k {expression!r}: a closing parenthesis is missing")
            return value
        if token is None or token in {")", "and", "or"}:
            raise InputError(f"-k {expression!r}: a name is missing before {token or 'the end'!r}")
        return token.casefold() in text.casefold()

    value = either()
    if tokens[position] is not None:
        raise InputError(f"-k {expression!r}: unexpected {tokens[position]!r}; join names by 'and' or 'or'")
    return value


def parameters_of(stage: str, given: Mapping[str, str]) -> dict[str, Scalar]:
    """The stage's and the workload's parameters, with those given as text put in, each of its default's type.

    A given name that this stage lacks but another has is left out: one option may serve a whole matrix.

    Raises:
        InputError: no stage has a parameter of that name, or the text is not of its type.

    """
    everywhere = {name for each in registry.stages().values() for name in each.parameters} | set(DEFAULTS)
    defaults = {**DEFAULTS, **registry.stages()[stage].parameters}
    chosen = dict(defaults)
    for name, text in given.items():
        if name not in everywhere:
            raise InputError(f"no parameter '{name}'; there are: {', '.join(sorted(everywhere))}")
        if name in defaults:
            chosen[name] = _typed(name, text, defaults[name])
    return chosen


def parameter_sets(stage: str, given: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Scalar]]:
    """`parameters_of` every combination of the values given for the names that the stage has; no set comes twice.

    Raises:
        InputError: as `parameters_of`.

    """
    seen: list[dict[str, Scalar]] = []
    for values in itertools.product(*given.values()):
        found = parameters_of(stage, dict(zip(given, values, strict=True)))
        if found not in seen:
            seen.append(found)
            yield found


def _typed(name: str, text: str, default: Scalar) -> Scalar:
    """The text as a value of the default's type; 0 only where the default is 0, too."""
    kind: type = type(default)
    try:
        value = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise InputError(f"parameter {name}={text}: must be of type {kind.__name__}") from None
    if kind in (int, float) and not (math.isfinite(value) and (value > 0 or value == default == 0)):
        raise InputError(f"parameter {name}={text}: must be above 0 and finite")
    return value


def _checked(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"no {kind} '{name}'; there are: {', '.join(known)}")


def _scales_of(dataset: str, datasets: Sequence[str], scales: Sequence[float]) -> Sequence[float]:
    """Scales are for the datasets that have them; alone, a dataset without them is refused where it is made."""
    scalable = {name for name, maker in catalogue.makers().items() if maker.scalable}
    return scales if dataset in scalable or not scalable.intersection(datasets) else (1.0,)


def groups(
    stages: Sequence[str],
    variants: Sequence[str],
    datasets: Sequence[str],
    scales: Sequence[float],
    expression: str | None,
    given: Mapping[str, Sequence[str]],
) -> Iterator[Group]:
    """The groups of a run in order; an empty selection of stages or variants means all.

    ``given`` has one value or more for each parameter named; there is a group for every combination.

    Raises:
        InputError: unknown names, or nothing left.

    """
    found = registry.variants().values()
    _checked("stage", stages, list(registry.stages()))
    _checked("variant", variants, list(dict.fromkeys(each.name for each in found)))
    nothing = True
    for dataset in datasets:
        for scale in _scales_of(dataset, datasets, scales):
            for stage in registry.stages():
                if stages and stage not in stages:
                    continue
                for parameters in parameter_sets(stage, given):
                    varied = tuple(name for name, values in given.items() if name in parameters and len(values) > 1)
                    empty = Group(stage, dataset, scale, parameters, (), varied)
                    chosen = tuple(
                        each
                        for each in found
                        if each.stage == stage
                        and (not variants or each.name in variants)
                        and (expression is None or matches(expression, empty.case_name(each)))
                    )
                    if chosen:
                        nothing = False
                        yield replace(empty, variants=chosen)
    if nothing:
        raise InputError("the selection is empty: no variant matches; see 'technobench list'")


def fitting(selected: Sequence[Group], stages: Sequence[str]) -> tuple[list[Group], list[str]]:
    """The groups whose stage takes datasets of their kind, and a line for each of the others.

    Args:
        selected: all groups.
        stages: what the user asked for by name, if anything.

    Raises:
        InputError: a stage of that name fits none of the datasets, or no group is left.

    """
    left: list[Group] = []
    lines: list[str] = []
    for group in selected:
        needed, kind = registry.stages()[group.stage].kinds, catalogue.kind_of(group.dataset)
        if kind in needed:
            left.append(group)
        else:
            lines.append(
                f"not measured: stage {group.stage} needs {' or '.join(needed)}, dataset {group.dataset} has {kind}"
            )
    lines = list(dict.fromkeys(lines))
    if not left or not {group.stage for group in selected}.intersection(stages) <= {group.stage for group in left}:
        raise InputError("; ".join(lines))
    return left, lines


def on_device(selected: Sequence[Group], device: str) -> list[Group]:
    """The groups with only the variants of a device."""
    return _filtered(selected, lambda group, variant: variant.device == device)


def without_finished(selected: Sequence[Group], threads: int, finished: Collection[CaseKey]) -> list[Group]:
    """The groups without the cases whose rows are there."""

    def is_left(group: Group, variant: Variant) -> bool:
        key = case_key(group.stage, variant.name, group.dataset, group.scale, threads, group.parameters)
        return key not in finished

    return _filtered(selected, is_left)


def _filtered(selected: Sequence[Group], wanted: Callable[[Group, Variant], bool]) -> list[Group]:
    left = (
        replace(group, variants=tuple(each for each in group.variants if wanted(group, each))) for group in selected
    )
    return [group for group in left if group.variants]
