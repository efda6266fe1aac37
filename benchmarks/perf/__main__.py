"""``python -m compleak.benchmarks.perf``: run every benchmark of the program, print the ratios, keep them as CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from . import bootstrap, features, lira, partcrop, rmia
from .comparison import Comparison, append

BENCHMARKS: dict[str, Callable[[], list[Comparison]]] = {
    "lira": lira.run,
    "rmia": rmia.run,
    "bootstrap": bootstrap.run,
    "features": features.run,
    "partcrop": partcrop.run,
}


def main() -> int:
    """Run them; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m compleak.benchmarks.perf", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)}; all if none")
    parser.add_argument(
        "--csv", type=Path, default=Path(__file__).with_name("results.csv"), help="rows are added to it"
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    missed = False
    for name in arguments.names or BENCHMARKS:
        rows = BENCHMARKS[name]()
        for row in rows:
            sys.stdout.write(f"{row}\n")
            missed |= row.ratio < row.goal
        append(rows, arguments.csv)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
