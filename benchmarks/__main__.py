"""`make bench`: run the benchmarks, or those that are named.

python -m benchmarks                       what there is
python -m benchmarks synthesis_quality     one of them, with its own defaults
make bench BENCH="attribution_speed"       the same, set-up included
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    """Run each named script; the worst exit code."""
    known = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    wanted = sys.argv[1:]
    if not wanted:
        print("Name a benchmark (make bench BENCH=NAME): " + ", ".join(known))
        return 0
    name, *options = wanted
    if name not in known:
        print(f"There is no benchmark {name!r}; there is: {', '.join(known)}.", file=sys.stderr)
        return 2
    return subprocess.call([sys.executable, str(FOLDER / f"{name}.py"), *options])


if __name__ == "__main__":
    sys.exit(main())
