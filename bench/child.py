"""The harness's handle on a worker process: requests with a deadline; every way to die becomes a sentence."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from ..pipeline.device_limit import device_environment
from ..pipeline.row import Monitored
from .host import thread_environment
from .messages import Failed, Refused, Reply, Request
from .monitor import Monitor

TIME_OUT = "time-out"
"""What the sentence on a request that was not waited for begins with."""
_SHOWN_OF_LOG = 500
_POLL_SECONDS = 0.5
ReplyT = TypeVar("ReplyT", bound=Reply)


class ChildError(Exception):
    """The worker failed: an exception in it, a time-out, a crash, or too little memory."""


class RefusalError(Exception):
    """The variant does not do the problem, and says why."""


class Child:
    """A worker process, watched by a monitor from start to end."""

    def __init__(
        self,
        threads: int,
        log: Path,
        first_core: int = 0,
        device_memory: int | None = None,
        python: Path = Path(sys.executable),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a worker whose libraries use ``threads`` threads and whose output goes to ``log``.

        It is held to as many of the usable cores as threads, from ``first_core`` on, and to ``device_memory`` bytes.
        python, environment: the interpreter, and what its environment has beside this process's.
        """
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [python, "-m", "technobench.bench.worker", str(first_core), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env={
                    **os.environ,
                    **thread_environment(threads),
                    **device_environment(device_memory),
                    **(environment or {}),
                },
                start_new_session=True,  # an interrupt at the keyboard is the harness's to handle
            )
        self.monitor = Monitor(self.process.pid)

    def ask(self, request: Request, expected: type[ReplyT], timeout: float) -> ReplyT:
        """Send a request and wait for its reply, ``timeout`` seconds at most.

        Raises:
            ChildError: with one sentence on what happened; the worker is dead after all but an exception in it.
            RefusalError: the variant that was to be set up does not do the problem.

        """
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its death is told below
            self.process.stdin.write(msgspec.json.encode(request) + b"\n")
            self.process.stdin.flush()
        with self.monitor.watching():
            reply = msgspec.json.decode(self._line(timeout), type=Reply)
        if isinstance(reply, Failed):
            raise ChildError(reply.reason)
        if isinstance(reply, Refused):
            raise RefusalError(reply.reason)
        assert isinstance(reply, expected)
        return reply

    def close(self) -> Monitored:
        """End the worker, if it has not ended; return what the monitor saw."""
        self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return self.monitor.stop()

    def _line(self, timeout: float) -> bytes:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + timeout
        received = b""
        while not received.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                self.kill()
                raise ChildError(f"{TIME_OUT}: no answer after {timeout:.0f} s")
            ended = self.process.poll() is not None  # a child of its own may hold the pipe open after its end
            if select.select([descriptor], [], [], 0 if ended else min(left, _POLL_SECONDS))[0]:
                part = os.read(descriptor, 1 << 16)
                received += part
                ended = not part
            if ended:
                raise ChildError(self._death())
        return received

    def kill(self) -> None:
        """Kill the worker and whatever it started: they are a session of their own. From any thread."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _death(self) -> str:
        code = self.process.wait()
        if self.monitor.out_of_memory:
            return "out of memory: killed when the machine's memory was nearly used up"
        said = self.log.read_text(errors="replace").strip()[-_SHOWN_OF_LOG:]
        end = f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            end += " (the system may have run out of memory)"
        return f"crash: the process ended by {end}" + (f"; it said: {said}" if said else "")
