"""What commands that measure share: parameters as options, the command line that repeats them, and interrupts."""

import contextlib
import shlex
import signal
from collections.abc import Collection, Iterator, Sequence

import click

from ...pipeline.errors import InputError


def named_values(given: Sequence[str]) -> dict[str, list[str]]:
    """The values of ``NAME=VALUE`` options by name.

    Raises:
        InputError: one is not written so.

    """
    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--param {text}: write it as NAME=VALUE")
        found.setdefault(name, []).append(value)
    return found


def repeating(context: click.Context, command: str, left_out: Collection[str]) -> str:
    """The command line that repeats this one: what was given but the options ``left_out``, in their long form."""
    words = ["technobench", command]
    for option in context.command.params:
        name = option.name or ""
        if not is_given(context, name) or name in left_out:
            continue
        value = context.params[name]
        for each in value if isinstance(value, tuple) else (value,):
            said = f"{each:.15g}" if isinstance(each, float) else str(each)
            words += [said] if isinstance(option, click.Argument) else [max(option.opts, key=len), said]
    return shlex.join(words)


def is_given(context: click.Context, name: str) -> bool:
    """Whether the option or argument is on the command line."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make a request to end (SIGTERM) an interrupt like Ctrl-C, so that workers end and the file is closed."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
