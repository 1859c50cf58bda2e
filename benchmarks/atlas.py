"""How fast an atlas is made, and whether it survives being killed.

    python -m benchmarks.atlas build [--layers 'blocks.*,head'] [--units 16]
        a whole atlas against the bare batched optimization
    python -m benchmarks.atlas examples [--photos 2048] [--folder FOLDER]
        a pass over photos against the bare forward
    python -m benchmarks.atlas linear [--out docs/atlas_linear.png]
        time over units and over photos, as a figure
    python -m benchmarks.atlas kill [--times 20] [--engine ray]
        SIGKILL at random moments, resumed, compared
    python -m benchmarks.atlas workers
        two Ray workers of one thread against one

The numbers go into docs/atlas.json, from which `benchmarks.pages` writes docs/atlas.md's table.
All on the embedded network and, without --folder, on random crops of scikit-image's photos. Start
with OMP_NUM_THREADS=1 on a machine that others use too. Peak memory is the process's own.
"""

from __future__ import annotations

import argparse

import torch

from benchmarks._atlas_build import build
from benchmarks._atlas_examples import examples
from benchmarks._atlas_kill import kill
from benchmarks._atlas_linear import linear
from benchmarks._atlas_workers import workers


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["build", "examples", "linear", "kill", "workers"])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--layers", default=None)
    parser.add_argument("--units", type=int, default=16, help="of each layer, for `build`")
    parser.add_argument(
        "--whole", action="store_true", help="`build` makes all units, without the comparison"
    )
    parser.add_argument(
        "--beside", default="", help="what else the machine runs, for the row of `build --whole`"
    )
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--photos", type=int, default=2048)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--points", type=int, default=5)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--out", default="docs/atlas_linear.png")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    {"build": build, "examples": examples, "linear": linear, "kill": kill, "workers": workers}[
        arguments.what
    ](arguments)


if __name__ == "__main__":
    main()
