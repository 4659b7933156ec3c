"""Measure how well photos are found: `python -m benchmarks.quality` prints the tables.

Takes the photos from the folder that TWINLENS_DATA names. For a look at checkpoints:
`python -m benchmarks.quality --only copies --quick-ish --models pocket=FILE ...`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks.quality import lineup, run
from benchmarks.quality.figures import as_json
from benchmarks.quality.sizes import FULL, QUICK, QUICK_ISH
from benchmarks.tables import show
from twinlens.errors import TwinlensError


def main() -> None:
    """Read the command line, measure, print; one line and exit code 1 where it cannot be done."""
    given = _parser().parse_args()
    if given.data is None:
        sys.exit("TWINLENS_DATA names no folder of photos to measure with; nothing measured")
    try:
        results = run.run(
            given.data,
            given.models and lineup.of_models(given.models),
            parts=given.only or run.PARTS,
            size=given.size,
            seed=given.seed,
            processes=given.processes,
            show=show,
        )
    except TwinlensError as error:
        sys.exit(str(error))
    if given.json:
        text = json.dumps(as_json(results), indent=1, ensure_ascii=False)
        given.json.write_text(text + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=run.PARTS, help="measure these parts alone")
    parser.add_argument(
        "--models",
        nargs="+",
        type=lineup.Model.parse,
        metavar="NAME[=WEIGHTS]",
        help="these models alone, as in pocket=runs/a/pocket.safetensors",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", dest="size", action="store_const", const=QUICK, help="a few photos: does it run?"
    )
    size.add_argument(
        "--quick-ish", dest="size", action="store_const", const=QUICK_ISH, help="about a quarter"
    )
    parser.set_defaults(size=FULL)
    parser.add_argument("--data", type=Path, default=os.environ.get("TWINLENS_DATA") or None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--processes", type=int, default=len(os.sched_getaffinity(0)), help="default: one a core"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there too")
    return parser


if __name__ == "__main__":
    main()
