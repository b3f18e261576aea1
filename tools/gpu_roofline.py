"""The least time of each CUDA kernel by data-sheet bandwidth and arithmetic: computed on paper, never measured.

python tools/gpu_roofline.py [--write]

Bytes and operations are those of kernel_work.py, for the figures of the seed's shape: 41,776 x 6,894 and 500 trees of
depth 6; for ALS and lists 41,776 x 6,450 and 64 factors. Without --write the tables are printed.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpu_kernels import PAGE, written
from kernel_work import (
    ModelFigures,
    PathFigures,
    Side,
    Work,
    works_of_als,
    works_of_lists,
    works_of_model,
    works_of_paths,
    works_of_shared_rows,
)
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.stages.als import Als
from technobench.pipeline.stages.recommend import Recommend
from technobench.pipeline.workload import Workload

BEGIN = "<!-- roofline: python tools/gpu_roofline.py --write -->\n"
END = "<!-- end of the roofline -->\n"


@dataclass(frozen=True)
class Card:
    """A device by its data sheet: bytes and float32 operations a second."""

    name: str
    bandwidth: float
    arithmetic: float


CARDS = (
    Card("A10", 600e9, 31.2e12),
    Card("A100 80 GB SXM", 2039e9, 19.5e12),
    Card("H100 SXM", 3350e9, 66.9e12),
)


def table(works: Iterable[Work]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| kernel | bytes a row | operations a row | " + " | ".join(f"{card.name}, ms" for card in CARDS) + " |"
    yield "|---" * (3 + len(CARDS)) + "|"
    for work in works:
        least = " | ".join(f"{1e3 * work.seconds(card.bandwidth, card.arithmetic):.3f}" for card in CARDS)
        yield f"| {work.kernel} | {work.bytes:,.0f} | {work.operations:,.0f} | {least} |"


def page(workload: Workload) -> Iterator[str]:
    """Tables, and what they are for."""
    problem = ScoringProblem.of(workload)
    of, paths = ModelFigures.of(problem), PathFigures.of(problem)
    yield f"{of.rows:,} rows of {of.entries:.1f} entries; {of.steps:,.0f} splits on the way down all trees;"
    yield f"{of.groups:,} groups of {of.questions:,} questions, {of.columns:,} columns of tables"
    yield f"({of.table_bytes / 2**20:.1f} MiB) in {of.segments:,} segments of {of.features:,} features:"
    yield ""
    yield from table(works_of_model(of))
    yield ""
    yield f"The same trees leaf by leaf, as those are explained that have no tables: {paths.leaves:,} leaves of"
    yield f"{paths.players / paths.leaves:.1f} features, {paths.segments:,} segments:"
    yield ""
    yield from table(works_of_paths(of, paths))
    yield ""
    interactions = workload.interactions().matrix
    factors, k = int(Als.parameters["factors"]), int(Recommend.parameters["k"])
    alone, shared = Side.alone_and_shared(interactions)
    yield f"ALS, {factors} factors, half an iteration each:"
    yield from (
        f"{side.rows:,} {side.name} of {side.entries:.1f} entries that a block has to itself," for side in alone
    )
    yield from (f"{side.rows:,} {side.name} of {side.entries:.1f} in {side.slices:,} slices," for side in shared)
    yield "where a row of `sum_slices` is a slice:"
    yield ""
    yield from table([work for side in alone for work in works_of_als(side, factors)])
    yield ""
    yield from table([work for side in shared for work in works_of_shared_rows(side, factors)])
    yield ""
    yield f"Lists of {k} for these users, and for as many rows of {of.features + 1:,} contributions. The float32 scores"
    yield "themselves are cuBLAS's work:"
    yield ""
    yield from table(works_of_lists(Side.users(interactions), factors, k, of.features + 1))


def main() -> None:
    """Compute, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/gpu-kernels.md")
    chosen = parser.parse_args()
    lines = page(Workload(catalogue.get("seed", 1.0), {"trees": 500, "depth": 6}))
    if chosen.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), lines, BEGIN, END), encoding="utf-8")
    else:
        print(*lines, sep="\n")


if __name__ == "__main__":
    main()
