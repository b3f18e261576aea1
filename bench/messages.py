"""What the harness and a worker say to each other: one JSON object per line."""

import msgspec

from ..pipeline.contract import Scalar


class Task(msgspec.Struct, frozen=True, tag=True):
    """The first message to a worker: which problem, and which variant (None: only prepare the reference).

    folder: private to the run; the reference is kept there.
    fold: number, from 0, and how many: a fold of the stage (`Stage.fold`) in place of its own problem.
    """

    stage: str
    variant: str | None
    dataset: str
    scale: float
    parameters: dict[str, Scalar]
    folder: str
    fold: tuple[int, int] | None = None


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Set the variant up on the first ``records`` records; None for all. Answered by `Ready` or `Refused`."""

    records: int | None


class Run(msgspec.Struct, frozen=True, tag=True):
    """Run once. Answered by `Ran`."""


class Grade(msgspec.Struct, frozen=True, tag=True):
    """Bring the last answer to the host and compare it with the reference. Answered by `Graded`.

    judged: whether to tell its quality, too.
    """

    judged: bool = False


class Judge(msgspec.Struct, frozen=True, tag=True):
    """Bring the last answer to the host and tell its quality, without a reference. Answered by `Judged`."""


class Fork(msgspec.Struct, frozen=True, tag=True):
    """Go on in a copy of this process, which has imported ``modules`` and nothing else. Answered by `Forked`.

    The copy answers until `End`; then this process does again.
    """

    modules: tuple[str, ...] = ()


class End(msgspec.Struct, frozen=True, tag=True):
    """End the copy. Answered by `Ended`."""


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The problem is loaded (and, without a variant, the reference is computed and kept)."""

    sizes: dict[str, int]
    versions: dict[str, str]
    thread_settings: dict[str, str]
    tolerance: float | None = None
    problem_digest: str | None = None


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The variant is set up."""

    setup_seconds: float
    sizes: dict[str, int]


class Ran(msgspec.Struct, frozen=True, tag=True):
    """One run is over. Peak and resident are bytes, peak None where the system does not tell.

    instructions: executed in user mode by all threads; None where the platform does not count them.
    page_faults: served without reading from a disk.
    """

    seconds: float
    cpu_seconds: float
    resident_bytes: int
    peak_bytes: int | None
    ran_on: str
    phases: dict[str, float] | None
    transferred_bytes: dict[str, int] | None = None
    instructions: int | None = None
    page_faults: int | None = None


class Graded(msgspec.Struct, frozen=True, tag=True):
    """The last answer is graded; ``error`` is None where there is no reference, and ``why``; infinity is sent as -1.

    quality: `Stage.quality` of a right answer to the whole problem.
    """

    fetch_seconds: float
    error: float | None
    why: str | None = None
    quality: dict[str, float] | None = None

    def wrong(self, tolerance: float) -> str | None:
        """What is wrong with the answer, or None where nothing is or there was no reference."""
        if self.error is None or 0 <= self.error <= tolerance:
            return None
        told = "of the wrong shape or not finite" if self.error < 0 else f"off by {self.error:.3g}"
        return f"the answer is {told}; the tolerance is {tolerance:g}"


class Judged(msgspec.Struct, frozen=True, tag=True):
    """`Stage.quality` of the last answer; what is no number is sent as None."""

    quality: dict[str, float | None]


class Forked(msgspec.Struct, frozen=True, tag=True):
    """What answers from here on is a copy."""


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The copy has ended. modules: what it had imported."""

    modules: tuple[str, ...]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """What was asked raised an exception."""

    reason: str


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The variant does not do this problem (`UnsupportedModelError`, `DeviceError`); nothing went wrong."""

    reason: str


Request = Task | Prepare | Run | Grade | Judge | Fork | End
Reply = Opened | Ready | Ran | Graded | Judged | Forked | Ended | Failed | Refused
