"""The command line: ``technobench``. One module per sub-command in ``commands``."""

import sys

import click

from ..pipeline.errors import TechnobenchError
from .commands.aa import aa
from .commands.backfill import backfill
from .commands.compare import compare
from .commands.data import data
from .commands.doctor import doctor
from .commands.exchange import export_run, import_run
from .commands.gate import gate
from .commands.history import history
from .commands.listing import list_variants
from .commands.plan import plan
from .commands.recommend import recommend
from .commands.report import report
from .commands.run import run
from .commands.show import show
from .commands.sweep import sweep
from .commands.table import table
from .commands.tune import tune

USAGE_ERROR = 2
INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="technobench")
def technobench() -> None:
    """Benchmark a look-alike scoring and recommendation workload on technographic data.

    Which implementation is fastest here, and is it right?

    Exit codes: 0 all well, 1 a case failed or its answer was wrong, 2 wrong usage or input, 4 a requirement
    (--require) was not met, 130 interrupted. 'gate' has its own.
    """


for command in (
    *(run, sweep, gate, compare, aa, history, backfill, plan, report, tune, recommend, show, table),
    *(list_variants, doctor, data, export_run, import_run),
):
    technobench.add_command(command)


def main() -> None:
    """Run the command line; errors that a user can mend are one line and exit code 2."""
    try:
        sys.exit(technobench(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except TechnobenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
