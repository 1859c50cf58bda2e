"""Whether an atlas survives being killed."""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._atlas_measures import crops
from benchmarks.atlas_table import keep_part
from convscope import atlas

CHILD = """
import sys, json
import torch; torch.set_num_threads(1)
import convscope
from convscope import atlas
if __name__ == "__main__":
    out, photos, engine, steps = sys.argv[1:]
    model = convscope.load_model()
    print("ready", flush=True)
    atlas.build(model, "blocks.0", out, steps=int(steps), size=48, batch=4, engine=engine)
    atlas.examples(
        model, photos, out, layers="blocks.0,blocks.1", k=4, samples=2, batch=32, engine=engine
    )
    print("done", flush=True)
"""


def kill(options: argparse.Namespace) -> None:
    """Kill a build and a pass at random moments until they are done, and compare with one that was
    left alone."""
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        photos = crops(Path(scratch) / "photos", options.photos)
        script = Path(scratch) / "child.py"
        script.write_text(CHILD)

        def run(out: str, after: float | None) -> float | None:
            """Seconds it took, or None if it was killed before it was done."""
            command = [
                sys.executable,
                str(script),
                f"{scratch}/{out}",
                str(photos),
                options.engine,
                str(options.steps),
            ]
            child = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            started = time.perf_counter()
            try:
                child.wait(after)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                return None
            assert child.stdout.read() == "done\n", "the child failed"
            return time.perf_counter() - started

        whole = run("whole", None)
        assert whole is not None
        kills = turns = 0
        while kills < options.times:
            turns += 1
            out = f"killed{turns}"
            finished = None
            while finished is None and kills < options.times:
                finished = run(out, chance.uniform(0, whole))
                kills += finished is None
            if finished is None:
                run(out, None)
            same = state(Path(scratch) / "whole") == state(Path(scratch) / out)
            print(
                f"atlas {turns}: {'same bytes' if same else 'DIFFERENT'} after {kills} kills in all"
                f" ({whole:.1f} s uninterrupted)",
                flush=True,
            )
            assert same
            assert atlas.verify(f"{scratch}/{out}").ok
    keep_part(f"kill {options.engine}", {"kills": kills, "atlases": turns})


def state(folder: Path) -> dict[str, str]:
    """Every file's name and hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
