"""`make bench`: run the speed benchmark, or the one that is named.

python -m benchmarks                       speed, every row
python -m benchmarks --quick               speed, with its options
python -m benchmarks synthesis_quality     one of them, with its own defaults
make bench BENCH="fooling_quality"         the same, set-up included
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    """Run the script; its exit code."""
    known = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    wanted = sys.argv[1:]
    name, *options = wanted if wanted and not wanted[0].startswith("-") else ["speed", *wanted]
    if name not in known:
        print(f"There is no benchmark {name!r}; there is: {', '.join(known)}.", file=sys.stderr)
        return 2
    return subprocess.call(
        [sys.executable, "-m", f"benchmarks.{name}", *options], cwd=FOLDER.parent
    )


if __name__ == "__main__":
    sys.exit(main())
