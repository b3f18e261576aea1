"""How often the gate cries wolf, and what it catches: the figures of docs/gate.md.

python tools/gate_evidence.py same|slower|bigger|wrong [--comparisons 20] [-k EXPR] [--dataset seed --scale 0.1] ...

Each comparison is a gate of its own, over one case, in new processes, or of --starts that follow each other in the
same. `same` compares the working tree with itself; the others compare it with a copy in which every run does more:
additions for SHARE of the CPU time that the run before took (`slower`), an array of SHARE of the peak memory
(`bigger`), SHARE added to all numbers of the answer (`wrong`).
Launches are kept in results/aa-*.jsonl, and judged again from there by --judge FILE with other limits.
"""

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from technobench.bench import host, store
from technobench.bench.cases import groups
from technobench.bench.gate.judgement import MEASURES, Limits, judge, log_ratios
from technobench.bench.gating import Plan, is_over
from technobench.bench.launch_row import BASE, HEAD, LaunchRow
from technobench.bench.launches import Arm, CaseLaunches, Launching
from technobench.bench.measure import private_folder
from technobench.bench.revisions import Repository, arm

RUN = "            self.answer = prepared.run()\n"
CHANGES = {
    "slower": RUN
    + "            last, began = getattr(self, 'last', 0.0), _cpu_seconds()\n"
    + "            while _cpu_seconds() - began < {share} * last:\n"
    + "                sum(range(1000))\n"
    + "            self.last = began - cpu\n",
    "bigger": RUN
    + "            import numpy\n"
    + "            self.more = None\n"
    + "            self.more = numpy.ones(int({share} * (peak_resident_bytes() or 0)), numpy.uint8)\n",
    "wrong": RUN + "            self.answer = self.answer + {share}\n",
}
"""What is put in place of a line of bench/worker.py."""


def changed(repository: Repository, change: str, share: float) -> str:
    """A commit, on no branch, of the working tree with one change."""
    commit = repository.working_tree()
    with repository.worktree(commit) as files:
        worker = files / "bench" / "worker.py"
        text = worker.read_text()
        assert text.count(RUN) == 1, f"bench/worker.py has changed: {RUN!r}"
        worker.write_text(text.replace(RUN, CHANGES[change].format(share=share)))
        return Repository(files).working_tree()


def arms(chosen: argparse.Namespace) -> tuple[Arm, Arm]:
    """The two arms, with what is installed here."""
    repository = Repository(Path.cwd())
    base = repository.working_tree()
    head = base if chosen.what == "same" else changed(repository, chosen.what, chosen.share)
    before, after = (arm(repository, name, commit, None, print) for name, commit in ((BASE, base), (HEAD, head)))
    return before, after


def measure(chosen: argparse.Namespace) -> Path:
    """Comparisons of each case; the file of launches, each with its comparison in ``gate_id``."""
    run_id = f"{store.new_run_id('aa')}-{chosen.what}"
    file = store.LineFile(Path("results"), run_id)
    selected = groups((), (), (chosen.dataset,), (chosen.scale,), chosen.expression, {"trees": [str(chosen.trees)]})
    cases = [(group, variant) for group in selected for variant in group.variants if variant.missing() is None]
    both, until = arms(chosen), time.monotonic() + 60 * chosen.minutes
    launching = Launching(run_id, " ".join(sys.argv), chosen.threads, chosen.pairs, 600.0)
    number = 0
    with private_folder() as folder:
        while number < chosen.comparisons * len(cases) and time.monotonic() < until:
            group, variant = cases[number // chosen.starts % len(cases)]
            plan = Plan(
                ((group, variant),), both, launching, Limits(chosen.limit), -(-chosen.most // chosen.pairs), 0.0
            )
            started = CaseLaunches(group, variant, both, launching, folder / f"{group.stage}-{variant.name}")
            started.prepare()
            launches = started.launches()
            for _ in range(chosen.starts):
                rows: list[LaunchRow] = []
                while not is_over(plan, rows):
                    rows.append(msgspec.structs.replace(next(launches), gate_id=f"{run_id}-{number}", launch=len(rows)))
                    file.append(rows[-1])
                number += 1
                print(number, rows[0].case_name, len(rows), judge(rows, plan.limits, last=True)[0].decision, flush=True)
            started.close()
    file.close()
    return file.path


def report(paths: Sequence[Path], limits: Limits, exchanged: bool) -> None:
    """A line for each case: what its comparisons came to."""
    rows = [row for path in paths for row in store.read_launches(path)]
    if exchanged:
        rows = [msgspec.structs.replace(row, arms={HEAD: row.arms[BASE], BASE: row.arms[HEAD]}) for row in rows]
    cases: dict[str, dict[str, list[LaunchRow]]] = {}
    for row in rows:
        cases.setdefault(row.case_name, {}).setdefault(row.gate_id, []).append(row)
    print("| case | comparisons | verdicts | change of CPU time, median | launches, median |")
    print("|---|---|---|---|---|")
    for name, compared in cases.items():
        verdicts = Counter(judge(own, limits, last=True)[0].decision.value for own in compared.values())
        told = ", ".join(f"{verdict} {count}" for verdict, count in sorted(verdicts.items()))
        ratios = [statistics.median(log_ratios(own, MEASURES[0], HEAD, BASE) or [0.0]) for own in compared.values()]
        launches = statistics.median(len(own) for own in compared.values())
        print(f"| `{name}` | {len(compared)} | {told} | {100 * statistics.median(ratios):+.2f} % | {launches:g} |")


def main() -> None:
    """Measure, or judge what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["same", *CHANGES], nargs="?")
    parser.add_argument("--judge", type=Path, nargs="+", metavar="FILE", help="launches to judge; nothing is measured")
    parser.add_argument("--exchanged", action="store_true", help="judge base against head")
    parser.add_argument("--starts", type=int, default=1, help="comparisons of one case between new processes")
    parser.add_argument("--comparisons", type=int, default=20, help="of each case")
    parser.add_argument("--minutes", type=float, default=20.0, help="to end after, at the next comparison")
    parser.add_argument("-k", dest="expression", default="native and not cuda and not parquet")
    parser.add_argument("--dataset", default="seed")
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.035, help="of time or memory, or what is added")
    parser.add_argument("--limit", type=float, default=0.03, help="as --max-slowdown")
    parser.add_argument("--pairs", type=int, default=5, help="of a launch")
    parser.add_argument("--most", type=int, default=100, help="pairs at most")
    parser.add_argument("--threads", type=int, default=host.usable_cores())
    chosen = parser.parse_args()
    if chosen.judge is None and chosen.what is None:
        parser.error("name what to measure, or a file by --judge")
    paths = chosen.judge or [measure(chosen)]
    print(f"{', '.join(map(str, paths))}, judged with a limit of {100 * chosen.limit:g} %")
    report(paths, Limits(chosen.limit), chosen.exchanged)


if __name__ == "__main__":
    main()
