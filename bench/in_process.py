"""A worker within the harness's own process, for what must hold the run in its hands, as other tools' clocks do."""

import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from .child import ChildError, RefusalError
from .instructions import InstructionCounter
from .messages import Grade, Judge, Prepare, Refused, Reply, Run, Task
from .worker import Worker, replied

_ReplyT = TypeVar("_ReplyT", bound=Reply)


class InProcess:
    """Answers as a `Child` does. A crash is this process's, and nothing ends a run that hangs."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._counter = InstructionCounter()

    def ask(self, request: Task | Prepare | Run | Grade | Judge, expected: type[_ReplyT], _: float) -> _ReplyT:
        """The reply to a request, however long it takes.

        Raises:
            ChildError: what was asked raised an exception; its traceback goes to standard error.
            RefusalError: the variant that was to be set up does not do the problem.

        """
        try:
            self._worker, reply = replied(self._worker, request, self._counter)
        except Exception as error:  # whatever a variant raises is a row
            traceback.print_exc()
            raise ChildError(f"{type(error).__name__}: {error}".strip()) from error
        if isinstance(reply, Refused):
            raise RefusalError(reply.reason)
        assert isinstance(reply, expected)
        return reply

    def timed(self) -> Callable[[], Any]:
        """What to time: one run of the variant that is set up, to the end of its device's work."""
        assert self._worker is not None and self._worker.prepared is not None
        prepared = self._worker.prepared

        def run() -> Any:
            answer = prepared.run()
            prepared.sync()
            return answer

        return run

    def close(self) -> None:
        """Let go of the problem and the answers."""
        self._worker = None
        self._counter.close()
