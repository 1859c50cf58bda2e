"""One job -> one part: an ascent of a chunk of units, and the rows that come of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.atlas.render.jobs import RECIPE_VERSION, Job
from convscope.atlas.store.tables import UNITS, encode, sealed, single
from convscope.errors import ComputeError, ModelError, NumericError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.results.pictures import to_rgb, to_uint8
from convscope.synthesis.objective import Objective, channel, objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.result import OptimizationResult, StopReason


class Renderer:
    """Makes jobs; the network is prepared once a layer. It can be sent to another process."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._fast: tuple[tuple[str, bool], Model] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "_fast": None}

    def __call__(self, job: Job) -> bytes:
        """The bytes of the job's part."""
        return encode(UNITS, sealed(UNITS, self.rows(job)), [job.to_json()])

    def rows(self, job: Job) -> list[dict[str, Any]]:
        """A row for each face of each unit; a unit that fails has its reason in its row, and the
        others go on without it."""
        units = list(range(job.first, job.last))
        try:
            return self._climbed(job, units)
        except (ComputeError, ModelError) as error:
            if len(units) == 1:
                return self._failed(job, units[0], str(error))
        return [row for unit in units for row in self._alone(job, unit)]

    def _alone(self, job: Job, unit: int) -> list[dict[str, Any]]:
        try:
            return self._climbed(job, [unit])
        except (ComputeError, ModelError) as error:
            return self._failed(job, unit, str(error))

    def prepared(self, layer: str, half: bool) -> Model:
        """The faster copy for one layer."""
        if self._fast is None or self._fast[0] != (layer, half):
            self._fast = ((layer, half), inference_copy(self.model, [layer], half=half))
        return self._fast[1]

    def optimize(
        self, job: Job, units: list[int], steps: int | None = None
    ) -> tuple[OptimizationResult, list[Objective]]:
        """The ascent of some of a job's units."""
        spec = job.spec
        settings = spec.settings
        own = [channel(job.layer, unit) for unit in units]
        wanted = own
        if spec.diversity > 1:
            apart = objective("diversity", layer=job.layer) * spec.diversity_weight
            wanted = [each + apart for each in own for _ in range(spec.diversity)]
        streams = RandomStreams.of(
            spec.seed, RandomStreams.keys([each.seed_key for each in wanted]), self.model.device
        )
        config = settings.config if steps is None else replace(settings.config, steps=steps)
        with Probe(self.prepared(job.layer, spec.half)) as probe:
            parameterization = settings.parameterization(probe, len(wanted), streams)
            found = optimize(probe, wanted, parameterization, streams, config, task=f"ascent {job}")
            if found.stop_reason is StopReason.INTERRUPTED:
                raise KeyboardInterrupt
            if spec.diversity > 1:
                found.score = torch.cat(
                    [found.score, self._own(probe, found.image, own, spec.diversity)[:, None]], 1
                )
        found.image = settings.shown(found.image)
        return found, wanted

    @staticmethod
    def _own(probe: Probe, image: Tensor, own: list[Objective], faces: int) -> Tensor:
        """Each picture's score by its unit alone, without what drives faces apart."""
        from convscope.synthesis.step import OptimizationStep

        step = OptimizationStep(
            probe,
            [each for each in own for _ in range(faces)],
            RandomStreams.of(0, [""] * len(image), image.device),
        )
        with torch.no_grad():
            return step(image)[1]

    def _climbed(self, job: Job, units: list[int]) -> list[dict[str, Any]]:
        found, wanted = self.optimize(job, units)
        faces = job.spec.diversity
        images = found.image.detach().float().cpu().numpy()
        scores = found.score.detach().float().cpu().numpy()
        if not np.isfinite(scores).all():
            raise NumericError(f"{job}: a score became NaN or infinite.")
        rows = []
        for place in range(len(wanted)):
            dead = found.is_dead[place]
            row = self._row(job, units[place // faces], place % faces)
            row |= {
                "image": None if dead else {"bytes": picture(images[place]), "path": None},
                "dead": dead,
                "error": None,
            }
            curve = scores[place] if faces == 1 else scores[place, :-1]
            rows.append(
                row
                | {
                    "score": single(scores[place, -1]),
                    "curve": [single(value) for value in curve],
                }
            )
        return rows

    def _failed(self, job: Job, unit: int, reason: str) -> list[dict[str, Any]]:
        return [
            self._row(job, unit, face)
            | {
                "image": None,
                "score": None,
                "curve": [],
                "dead": False,
                "error": reason,
            }
            for face in range(job.spec.diversity)
        ]

    def _row(self, job: Job, unit: int, face: int) -> dict[str, Any]:
        spec = job.spec
        label = job.classes[unit - job.first] if job.classes else None
        recipe = json.dumps(spec.recipe(), sort_keys=True)
        row = {
            "model": spec.model,
            "model_id": spec.model_id,
            "layer": job.layer,
            "depth": job.depth,
            "unit": unit,
            "face": face,
            "label": label,
        }
        return row | {
            "key": job.key(unit, face),
            "recipe": recipe,
            "seed": spec.seed,
            "recipe_version": RECIPE_VERSION,
            "job": job.hash,
        }


def picture(image: Any) -> bytes:
    """An image (c h w in [0, 1]) as the bytes of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(to_rgb(to_uint8(np.clip(image, 0, 1).transpose(1, 2, 0)))).save(buffer, "PNG")
    return buffer.getvalue()
