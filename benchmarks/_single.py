"""Run one benchmark in this process, as `python -m benchmarks` does: a package that is missing and
Ctrl-C are one sentence each.

    python -m benchmarks._single NAME [OPTIONS]
"""

from __future__ import annotations

import runpy
import sys

from benchmarks._peers import require_peers


def main() -> int:
    """The benchmark's exit code; 130 after Ctrl-C."""
    name = sys.argv[1]
    sys.argv = sys.argv[1:]
    require_peers(name)
    try:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        print(
            f"Stopped {name}; what it had finished is written, everything else is as it was.",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
