"""`make demo`: the report on the embedded network and two sample photos."""

from __future__ import annotations

import os
from pathlib import Path

# As in the command line, and before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import convscope
from convscope.cli import show


def main() -> None:
    """Write the page and say where it is."""
    with show.progress(quiet=False):
        result = convscope.report(
            None, ["sample:chelsea", "sample:cat-and-coffee"], out="out/report.html"
        )
    print(f"The report is at {Path(str(result.details['path'])).resolve()}")
    print("To look for yourself, in the browser: pip install 'convscope[live]'; convscope live")


if __name__ == "__main__":
    main()
