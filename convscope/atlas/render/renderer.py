"""One job -> one part: optimize the pictures of a chunk of units, and make their rows."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.atlas.render.jobs import RECIPE_VERSION, RenderJob
from convscope.atlas.store.parts import encode_rows, float32
from convscope.atlas.store.rows import ImageData, UnitColumns
from convscope.atlas.store.tables import UNITS
from convscope.errors import ComputeError, ModelError, NumericError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.results.pictures import to_rgb, to_uint8
from convscope.synthesis.objective import Objective, channel, objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.result import OptimizationResult, StopReason
from convscope.synthesis.step import OptimizationStep


@dataclass(frozen=True)
class Rendering:
    """What became of one picture: its file, or None where the unit is dead or failed."""

    image: ImageData | None = None
    curve: tuple[float, ...] = ()
    score: float | None = None
    dead: bool = False
    error: str | None = None


class Renderer:
    """Runs jobs; the network is prepared once a layer. It can be sent to another process."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._prepared: tuple[tuple[str, bool], Model] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {"model": self.model, "_prepared": None}

    def __call__(self, job: RenderJob) -> bytes:
        """The bytes of the job's part."""
        return encode_rows(UNITS, self.rows(job), [job.to_json()])

    def rows(self, job: RenderJob) -> list[UnitColumns]:
        """A row for each face of each unit; a unit that fails has its reason in its row, and the
        others go on without it."""
        units = list(range(job.first, job.last))
        try:
            return self._render(job, units)
        except (ComputeError, ModelError) as error:
            if len(units) == 1:
                return _failed_rows(job, units[0], str(error))
        return [row for unit in units for row in self._render_alone(job, unit)]

    def _render_alone(self, job: RenderJob, unit: int) -> list[UnitColumns]:
        try:
            return self._render(job, [unit])
        except (ComputeError, ModelError) as error:
            return _failed_rows(job, unit, str(error))

    def prepare(self, job: RenderJob) -> Model:
        """The inference copy for a job's layer, made when it is first asked for."""
        key = (job.layer, job.spec.half)
        if self._prepared is None or self._prepared[0] != key:
            layers = [] if job.of_scores else [job.layer]
            self._prepared = (key, inference_copy(self.model, layers, half=job.spec.half))
        return self._prepared[1]

    def optimize(
        self, job: RenderJob, units: list[int], steps: int | None = None
    ) -> tuple[OptimizationResult, list[Objective]]:
        """Optimize the pictures of some of a job's units: the result, and an objective for each
        picture. The result's scores (n steps + 1) end with the unit's own on the finished picture;
        those of the steps are of the image before each, moved and turned as the preset does."""
        spec = job.spec
        settings = spec.settings
        channels = [
            objective("logit", target=unit) if job.of_scores else channel(job.layer, unit)
            for unit in units
        ]
        objectives = channels
        if spec.diversity > 1:
            diversity = objective("diversity", layer=job.layer) * spec.diversity_weight
            objectives = [unit + diversity for unit in channels for _ in range(spec.diversity)]
        keys = RandomStreams.keys([objective.seed_key for objective in objectives])
        streams = RandomStreams.of(spec.seed, keys, self.model.device)
        config = settings.config if steps is None else replace(settings.config, steps=steps)
        with Probe(self.prepare(job)) as probe:
            parameterization = settings.parameterization(probe, len(objectives), streams)
            result = optimize(
                probe, objectives, parameterization, streams, config, task=f"ascent {job}"
            )
            if result.stop_reason is StopReason.INTERRUPTED:
                raise KeyboardInterrupt
            result.image = settings.shown(result.image)
            scores = _channel_scores(probe, result.image, channels, spec.diversity)
            result.score = torch.cat([result.score, scores[:, None]], 1)
        return result, objectives

    def _render(self, job: RenderJob, units: list[int]) -> list[UnitColumns]:
        result, objectives = self.optimize(job, units)
        faces, num_steps = job.spec.diversity, result.score.shape[1] - 1
        images = result.image.detach().float().cpu().numpy()
        scores = result.score.detach().float().cpu().numpy()
        if not np.isfinite(scores).all():
            raise NumericError(f"{job}: a score became NaN or infinite.")
        rows = []
        for place in range(len(objectives)):
            is_dead = result.is_dead[place]
            rendering = Rendering(
                image=None if is_dead else {"bytes": encode_png(images[place]), "path": None},
                curve=tuple(float32(value) for value in scores[place, :num_steps]),
                score=float32(scores[place, -1]),
                dead=is_dead,
            )
            rows.append(_row(job, units[place // faces], place % faces, rendering))
        return rows


def _channel_scores(probe: Probe, image: Tensor, channels: list[Objective], faces: int) -> Tensor:
    """Each picture's score by its unit alone, without what drives faces apart."""
    step = OptimizationStep(
        probe,
        [unit for unit in channels for _ in range(faces)],
        RandomStreams.of(0, [""] * len(image), image.device),
    )
    with torch.no_grad():
        return step(image)[1]


def _failed_rows(job: RenderJob, unit: int, reason: str) -> list[UnitColumns]:
    return [_row(job, unit, face, Rendering(error=reason)) for face in range(job.spec.diversity)]


def _row(job: RenderJob, unit: int, face: int, rendering: Rendering) -> UnitColumns:
    spec = job.spec
    return {
        "model": spec.model,
        "model_id": spec.model_id,
        "layer": job.layer,
        "depth": job.depth,
        "unit": unit,
        "face": face,
        "label": job.classes[unit - job.first] if job.classes else None,
        "key": job.key(unit, face),
        "image": rendering.image,
        "score": rendering.score,
        "curve": list(rendering.curve),
        "dead": rendering.dead,
        "error": rendering.error,
        "recipe": json.dumps(spec.recipe(), sort_keys=True),
        "seed": spec.seed,
        "recipe_version": RECIPE_VERSION,
        "job": job.hash,
    }


def encode_png(image: NDArray[np.float32]) -> bytes:
    """An image (c h w in [0, 1]) as the bytes of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(to_rgb(to_uint8(np.clip(image, 0, 1).transpose(1, 2, 0)))).save(buffer, "PNG")
    return buffer.getvalue()
