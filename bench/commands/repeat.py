"""What commands that measure share: parameters as options, the command line that repeats them, and interrupts."""

import contextlib
import shlex
import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ...pipeline.errors import InputError
from ...pipeline.home import new_file
from .amounts import Amount, Duration, Share

Command = TypeVar("Command", bound=Callable)


expression_option = click.option(
    "-k",
    "expression",
    metavar="EXPR",
    help="Cases whose 'stage/variant dataset@scale' matches: 'shap and not naive'.",
)
"""``-k``, which cases are meant."""


def budget_option(default: float) -> Callable[[Command], Command]:
    """``--budget``, the run time of a case."""
    return click.option(
        "--budget",
        type=click.FloatRange(min=0, min_open=True),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help="Run time per case; what is too slow for it is extrapolated.",
    )


def timeout_option(about: str) -> Callable[[Command], Command]:
    """``--timeout``, for a request to a worker; ``about`` says which, and what is beyond it."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=3600.0,
        show_default=True,
        metavar="SECONDS",
        help=about,
    )


def share_option(name: str, default: str, about: str) -> Callable[[Command], Command]:
    """An option in per cent."""
    return click.option(name, type=Share(), default=default, show_default=True, metavar="PERCENT", help=about)


def time_option(default: str, about: str) -> Callable[[Command], Command]:
    """``--budget``, for all that a command does."""
    return click.option("--budget", type=Duration(), default=default, show_default=True, metavar="TIME", help=about)


def pairs_option(about: str) -> Callable[[Command], Command]:
    """``--max-pairs``."""
    return click.option("--max-pairs", type=click.IntRange(min=1), default=100, show_default=True, help=about)


threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Threads of every library [default: all usable cores]."
)
"""``--threads``."""

FILE = click.Path(dir_okay=False, path_type=Path)
"""A file to write, beside what is printed."""


def write_asked(options: Mapping[str, Any], texts: Mapping[str, Callable[[], bytes]]) -> None:
    """Write each text, made by the name of its option, to the file that this names, if it does; whole or not at all."""
    for name, text in texts.items():
        if options[name] is not None:
            with new_file(options[name]) as written:
                written.write_bytes(text())


def refuse_options_on_resume(context: click.Context, what: str, settable: Collection[str]) -> None:
    """What is gone on with has its own options.

    Raises:
        InputError: others than those ``settable`` are on the command line.

    """
    others = [name for name in context.params if is_given(context, name) and name not in settable]
    if others:
        raise InputError(f"--resume goes on with the {what}'s own options; leave out {', '.join(others)}")


def options_of(context: click.Context, command: str) -> dict[str, Any]:
    """The options of a command line that `repeating` made."""
    _, name, *words = shlex.split(command)
    return context.command.make_context(name, words).params


def resume_option(what: str) -> Callable[[Command], Command]:
    """``--resume``, by the name of what is gone on with, or of the newest: an empty one."""
    return click.option(
        "--resume",
        is_flag=False,
        flag_value="",
        default=None,
        metavar="[RUN]",
        help=f"Go on with an interrupted {what} (the newest), with its options.",
    )


def results_option(what: str) -> Callable[[Command], Command]:
    """``--results``, a folder that may not be there yet."""
    return click.option(
        "--results", type=click.Path(file_okay=False, path_type=Path), help=f"Folder of the {what} [default: results]."
    )


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
        if isinstance(option, click.Option) and option.is_flag:
            words.append(max(option.opts, key=len))
            continue
        value = context.params[name]
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(option.type, Amount):
                said = option.type.written(each)
            else:
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
