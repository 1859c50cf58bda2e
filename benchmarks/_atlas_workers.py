"""Two Ray workers against one."""

from __future__ import annotations

import argparse
import json
import tempfile

import convscope
from benchmarks._atlas_measures import number
from benchmarks.atlas_table import keep_part
from convscope import atlas


def workers(options: argparse.Namespace) -> None:
    """The same jobs by one Ray worker and by two; starting them is not counted."""
    import ray

    model = convscope.load_model()
    seconds = {}
    for count in (1, 2):
        ray.init(
            num_cpus=count, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
        )
        with tempfile.TemporaryDirectory() as folder:
            atlas.build(
                model,
                "blocks.3",
                f"{folder}/warm",
                steps=2,
                size=64,
                batch=4,
                engine="ray",
                threads=1,
            )
            built = atlas.build(
                model,
                "blocks.3",
                f"{folder}/atlas",
                steps=options.steps,
                batch=8,
                engine="ray",
                threads=1,
            )
            seconds[count] = number(built, "seconds")
        ray.shutdown()
        print(f"{count} worker(s): {seconds[count]:.1f} s", flush=True)
    print(json.dumps({"speedup": round(seconds[1] / seconds[2], 3)}))
    keep_part("workers", {"speedup": round(seconds[1] / seconds[2], 3)})
