"""The contract between stages, variants and the harness.

A *stage* owns the problem, its parameters, the reference, the measure of error and the tolerance.
A *variant* owns nothing but how: one decorated function from the problem to a `Prepared` run.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from .datasets.dataset import Kind
from .needs import Need
from .search import Range

if TYPE_CHECKING:
    from .workload import Workload

ProblemT = TypeVar("ProblemT")
AnswerT = TypeVar("AnswerT")
ReferenceT = TypeVar("ReferenceT")
Scalar = int | float | str | bool


def _nothing() -> None:
    return None


def _on_cpu() -> str:
    return "cpu"


def _as_it_is(answer: Any) -> Any:
    return answer


@dataclass(frozen=True)
class Prepared(Generic[AnswerT]):
    """A run whose set-up is done: data is where it must be, kernels are compiled.

    run: the only timed call; called many times, each time from the same inputs; returns the answer where it lies.
    sync: waits for the device; timed with ``run``.
    fetch: brings the answer of ``run`` to the host as the stage's answer type; timed apart.
    ran_on: evidence, read after a run, of the device that did the work: ``cpu`` or ``cuda``.
    phases: seconds of each phase of the last run, for a run that has phases.
    transferred: bytes copied to and from a device in the last run, by direction, for a run that counts them.
    """

    run: Callable[[], Any]
    sync: Callable[[], None] = _nothing
    fetch: Callable[[Any], AnswerT] = _as_it_is
    ran_on: Callable[[], str] = _on_cpu
    phases: Callable[[], Mapping[str, float]] | None = None
    transferred: Callable[[], Mapping[str, int]] | None = None


class Stage(ABC, Generic[ProblemT, AnswerT, ReferenceT]):
    """One step of the workload. A subclass in ``pipeline/stages/<name>.py`` is all that a new stage takes.

    ``order`` is its place in the workload's tables.
    ``parameters`` holds the stage's own parameters with their defaults, beside those of the workload.
    ``kinds`` are the kinds of datasets that it can be measured on.
    An answer whose `error` is at most `tolerance` is right.
    ``goal`` says which value of the measures of `quality` is the best.
    ``search`` holds the ranges that parameters are drawn from, by name, where the user names none.
    """

    name: ClassVar[str]
    order: ClassVar[int]
    summary: ClassVar[str]
    error_measure: ClassVar[str]
    tolerance: ClassVar[float]
    parameters: ClassVar[Mapping[str, Scalar]] = {}
    kinds: ClassVar[tuple[Kind, ...]] = ("records",)
    goal: ClassVar[Literal["highest", "lowest"]] = "highest"
    search: ClassVar[Mapping[str, Range]] = {}

    @abstractmethod
    def problem(self, workload: "Workload") -> ProblemT:
        """The inputs, as every variant gets them."""

    @abstractmethod
    def prefix(self, problem: ProblemT, records: int) -> ProblemT:
        """The same problem on the first ``records`` records, for variants too slow for the whole."""

    @abstractmethod
    def sizes(self, problem: ProblemT) -> dict[str, int]:
        """What the run time can grow with; always has ``records``."""

    @abstractmethod
    def reference(self, problem: ProblemT) -> ReferenceT | None:
        """What answers are checked against, computed independently of the variants; None where it would not fit.

        Raises:
            UnsupportedModelError: the model holds something that cannot be checked; its answers are unverified.

        """

    @abstractmethod
    def error(self, problem: ProblemT, answer: AnswerT, reference: ReferenceT) -> float:
        """The answer's error by `error_measure`; infinity where its shape is wrong, NaN never."""

    def quality(self, problem: ProblemT, answer: AnswerT) -> Mapping[str, float]:
        """How well the answer tells what the problem holds out from it, by measure; the first one is the main one.

        It says how good the method is, where `error` says whether it was carried out. Only right answers are asked for
        theirs. Empty for a stage that holds nothing out.
        """
        return {}

    @property
    def tunable(self) -> bool:
        """Whether the stage has a `fold`, by which parameters can be chosen."""
        return type(self).fold is not Stage.fold

    def fold(self, workload: "Workload", number: int, folds: int) -> ProblemT:
        """One of the problems by which parameters are chosen, the same for a seed.

        It learns from a part of what the stage's own problem learns from, and `quality` judges it by another part of
        that: what judges the stage's own problem is in neither, so that the choice does not see it.

        Args:
            workload: the dataset with the parameters to try.
            number: of the fold, from 0.
            folds: how many there are; 2 or more.

        Raises:
            InputError: the dataset cannot be cut so.
            NotImplementedError: the stage is not `tunable`.

        """
        raise NotImplementedError(f"stage {self.name} has no folds to choose parameters by")


@dataclass(frozen=True)
class Variant:
    """An implementation of a stage.

    grows_with: names among the stage's `Stage.sizes`; the run time of a variant too slow for its budget is fitted
    against their product.
    """

    stage: str
    name: str
    device: str
    needs: tuple[Need, ...]
    grows_with: tuple[str, ...]
    summary: str
    prepare: Callable[[Any], Prepared]

    def missing(self) -> str | None:
        """Why the variant cannot run on this machine, or None."""
        reasons = [reason for need in self.needs if (reason := need.missing()) is not None]
        return "; ".join(reasons) or None


_VARIANTS: dict[tuple[str, str], Variant] = {}


def variant(
    *needs: Need, device: str = "cpu", grows_with: tuple[str, ...] = ("records",)
) -> Callable[[Callable[[Any], Prepared]], Callable[[Any], Prepared]]:
    """Register a function from a problem to a `Prepared` as a variant.

    The module's name is the stage, the function's name (with hyphens) the variant, its docstring's first line the
    summary. Heavy imports belong inside the function. One that does not do a problem raises `UnsupportedModelError`,
    and its row is ``unavailable``, with that reason.

    Raises:
        TypeError: the function has no docstring, or the name is taken.

    """

    def register(prepare: Callable[[Any], Prepared]) -> Callable[[Any], Prepared]:
        stage = prepare.__module__.rpartition(".")[2]
        name = prepare.__name__.replace("_", "-")
        doc = inspect.getdoc(prepare)
        if not doc:
            raise TypeError(f"variant {stage}/{name} has no docstring to say how it differs")
        taken = _VARIANTS.get((stage, name))
        if taken is not None and taken.prepare.__module__ != prepare.__module__:
            raise TypeError(f"variant {stage}/{name} is already defined in {taken.prepare.__module__}")
        _VARIANTS[stage, name] = Variant(stage, name, device, needs, grows_with, doc.splitlines()[0], prepare)
        return prepare

    return register


def registered() -> Mapping[tuple[str, str], Variant]:
    """The variants imported so far, by stage and name; use `registry.variants` to import them all."""
    return _VARIANTS
