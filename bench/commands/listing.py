"""``technobench list``: stages and variants, with what each needs and whether this machine has it."""

import json

import click
from rich import box
from rich.table import Table
from rich.text import Text

from ...pipeline import registry
from ..table import wide_console


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
def list_variants(as_json: bool) -> None:
    """List stages and variants, and what this machine lacks for each."""
    if as_json:
        listed = [
            {
                "stage": each.stage,
                "variant": each.name,
                "device": each.device,
                "needs": [need.name for need in each.needs],
                "missing": each.missing(),
                "summary": each.summary,
            }
            for each in registry.variants().values()
        ]
        click.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    console = wide_console()
    for name, stage in registry.stages().items():
        console.print(Text(f"{name}: {stage.summary}", "bold"))
        console.print(Text(f"right if at most {stage.tolerance:g}: {stage.error_measure}", "dim"))
        table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for each in registry.variants().values():
            if each.stage == name:
                about = Text(each.summary.replace("``", ""))
                if (missing := each.missing()) is not None:
                    about.append(f"\nunavailable here: {missing}", "magenta")
                table.add_row(each.name, about)
        console.print(table)
