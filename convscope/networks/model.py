"""A network with everything a method must not need to know: preprocessing, labels, layer layout,
identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from convscope.core.types import Foreign, Task
from convscope.errors import ModelError
from convscope.networks.class_scores import ScoreFacts, class_scores, score_facts
from convscope.networks.layout import Layout
from convscope.networks.match_channels import match_channels
from convscope.networks.module_index import ModuleIndex
from convscope.networks.output_at import output_at, unshared
from convscope.networks.preprocessing import Preprocessing
from convscope.networks.state import NetworkState
from convscope.networks.surest_candidates import has_candidates, run_with_candidates
from convscope.networks.task import (
    detector_classes,
    embedding,
    infer_task,
    segmentation,
    surest_detections,
)
from convscope.networks.torch_settings import defaults_for_network
from convscope.networks.unwrap import plain_network

Head = Literal["softmax", "sigmoid", "probability"]


class Model:
    """A network and what is known about it.

    Args:
        network: any `nn.Module` that takes n c h w (or what `preprocess` makes of it).
        name: shown in titles.
        spec: the text that `load_model` was given, or None for a module that exists in memory only.
        options: what else `load_model` was given, as JSON.
        preprocessing: how a photo becomes an input.
        labels: one text per class; synonyms separated by commas.
        channels: how many channels the input has.
        head: how the last scores become probabilities; `probability` says that the network's output
            already is one.
        layout: how a layer's output becomes maps.
        modules: layer name -> module, where `named_modules()` is not the right list.
        channels_last: whether the network takes n h w c.
        task: what the output means; by default what one run shows.
        inputs: what the network takes beside the image, by name.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str | None = None,
        spec: str | None = None,
        options: dict[str, object] | None = None,
        preprocessing: Preprocessing | None = None,
        labels: Sequence[str] | None = None,
        channels: int = 3,
        head: Head | None = None,
        layout: Layout | None = None,
        modules: dict[str, nn.Module] | None = None,
        channels_last: bool = False,
        task: Task | None = None,
        inputs: dict[str, Foreign] | None = None,
    ) -> None:
        self.state = NetworkState(plain_network(network, name), modules)
        self.name = name or type(self.network).__name__
        self.spec = spec
        self.options = options or {}
        self.preprocessing = preprocessing or Preprocessing()
        self.labels = tuple(labels) if labels is not None else None
        self.channels = channels
        self.layout = layout or Layout()
        self.channels_last = channels_last
        self._head, self._task = head, task
        self.inputs = dict(inputs or {})
        self.half = False
        self.output_layer: str | None = None
        """Where set, running the network gives this layer's output (for questions on units)."""

    def __repr__(self) -> str:
        return f"<Model {self.name}, {self.preprocessing.size[0]} x {self.preprocessing.size[1]}>"

    @property
    def network(self) -> nn.Module:
        """The network itself; another one in its place is known as little as a new Model's."""
        return self.state.network

    @network.setter
    def network(self, network: nn.Module) -> None:
        self.state = NetworkState(network)

    @property
    def is_frozen(self) -> bool:
        """Whether the network is a private copy, frozen and in evaluation mode, which nobody
        changes (see `inference_copy`)."""
        return self.state.is_frozen

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input the network was made for."""
        return self.preprocessing.size

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.state.device

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the weights."""
        return self.state.dtype

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Layer name -> module."""
        return self.state.modules

    @property
    def module_index(self) -> ModuleIndex:
        """The network's modules, remembered until one is replaced."""
        return self.state.module_index

    def fit(self, photo: Tensor) -> Tensor:
        """What the network sees of a photo (n c h w in [0, 1]), at the network's size and on its
        device.

        Raises:
            ImageError: the photo has another number of channels.
        """
        return self.preprocessing.fit(self.match_channels(photo).to(self.device))

    def match_channels(self, photo: Tensor) -> Tensor:
        """A photo (n c h w) with the network's number of channels; raises an ImageError where
        there is no such way."""
        return match_channels(photo, self.channels, self.name)

    def preprocess(self, image: Tensor) -> Tensor:
        """Image in [0, 1] (n c h w) to network input, in the weights' type; differentiable."""
        return self.preprocessing.normalize(image.to(self.device)).to(self.dtype)

    def deprocess(self, network_input: Tensor) -> Tensor:
        """Network input back to an image in [0, 1]."""
        return self.preprocessing.denormalize(network_input.float())

    def __call__(self, network_input: Tensor) -> object:
        """Run the network on an input (n c h w); the raw output."""
        image = unshared(network_input)
        image = image.permute(0, 2, 3, 1) if self.channels_last else image
        with self.state.memory.lock, defaults_for_network(self.dtype, self.device):
            if self.output_layer is not None:
                return output_at(self.network, self.modules[self.output_layer], image, self.inputs)
            if has_candidates(type(self.network)):
                return run_with_candidates(self.network, image, self.inputs)
            return self.network(image, **self.inputs)

    @property
    def task(self) -> Task:
        """What the output means: as the user says, or as one run shows."""
        if self._task is not None:
            return self._task
        key, memory = ("task", self.state.structure), self.state.memory
        with memory.lock:
            if key not in memory.tasks:
                memory.tasks[key] = self.task_of(self._dry_output())
            return memory.tasks[key]

    @task.setter
    def task(self, task: Task) -> None:
        self._task = task

    def task_of(self, output: Foreign) -> Task:
        """The task that an output shows, where the user did not say it; no run is needed."""
        return self._task or infer_task(output, getattr(self.network, "num_classes", None))

    def scores(self, output: object, images: int | None = None) -> Tensor:
        """One score per class (n classes) in what the network returned for `images` images.

        With one output and two labels, the score of the first class is minus that of the second (1
        minus it, of a probability). A detector's score is its surest candidate of the class, a
        segmenter's the mean over all places, that of a network without a head its embedding.

        Raises:
            ModelError: what it returned is not one score per class and image.
        """
        scores = self._raw_scores(output, images)
        if not self._has_two_labels or scores.shape[1] != 1:
            return scores
        other = 1 - scores if self.head == "probability" else -scores
        return torch.cat([other, scores], 1)

    def _raw_scores(self, output: Foreign, images: int | None) -> Tensor:
        task = self.task_of(output)
        if task == "detection":
            return surest_detections(output, self.num_detected_classes)
        if task == "segmentation":
            return segmentation(output).mean((2, 3))
        if task == "embedding":
            return embedding(output)
        return class_scores(output, self.name, images)

    @property
    def _has_two_labels(self) -> bool:
        return self.labels is not None and len(self.labels) == 2 and self._task != "regression"

    @property
    def num_detected_classes(self) -> int | None:
        """How many classes a detector tells apart, where that does not show in its output."""
        return detector_classes(self.network) or (len(self.labels) if self.labels else None)

    @property
    def head(self) -> Head:
        """How scores become probabilities: as it was said; else several labels, or a single output,
        by a sigmoid; outputs that are probabilities already are left as they are."""
        if self._head is not None:
            return self._head
        if self._task == "multi-label":
            return "sigmoid"
        facts = self.score_facts
        if facts.is_probability:
            return "probability"
        return "sigmoid" if facts.count == 1 else "softmax"

    @head.setter
    def head(self, head: Head) -> None:
        self._head = head

    def probabilities(self, scores: Tensor) -> Tensor:
        """Class probabilities (n classes) from scores."""
        if self._task == "regression" or self.head == "probability":
            return scores
        return scores.sigmoid() if self.head == "sigmoid" else scores.softmax(1)

    @property
    def score_facts(self) -> ScoreFacts:
        """What one run on a gray image says about the network's scores; remembered."""
        memory, labels = self.state.memory, len(self.labels or ())
        key = self.state.structure, self.size, self.channels, self._task, labels
        with memory.lock:
            if key not in memory.score_facts:
                output = self._dry_output()
                memory.score_facts[key] = score_facts(
                    self._raw_scores(output, 1),
                    is_probability=self.task_of(output) == "detection",
                    is_minimum=isinstance(output, list) and not detector_classes(self.network),
                )
            return memory.score_facts[key]

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        facts, labels = self.score_facts, self.labels or ()
        if facts.is_minimum:
            return max(facts.count, len(labels))
        return 2 if facts.count == 1 and self._has_two_labels else facts.count

    def _dry_output(self) -> Foreign:
        with self.module_index.evaluation_mode(), torch.inference_mode(False), torch.no_grad():
            return self(self.gray_input())

    def gray_input(self) -> Tensor:
        """A gray input of the network's own size, for dry runs."""
        return self.preprocess(torch.full((1, self.channels, *self.size), 0.5))

    def noise_input(self) -> Tensor:
        """A gray input with fine noise, always the same, in which no two places are alike."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand((1, self.channels, *self.size), generator=generator)
        return self.preprocess(0.25 + 0.5 * noise)

    def label(self, index: int) -> str:
        """The short name of a class: its first synonym, or its number."""
        if self.labels is None or index >= len(self.labels):
            return f"class {index}"
        return self.labels[index].split(",")[0].strip()

    @property
    def identity(self) -> str:
        """SHA-256 over all weights and the preprocessing; remembered until one changes."""
        return self.state.identity(self.preprocessing)

    def to(self, device: str | torch.device) -> Model:
        """Move the network; the same Model is returned.

        Raises:
            ModelError: there is no such device.
        """
        try:
            self.network.to(device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(
                f"The device {str(device)!r} cannot be used: {str(error).splitlines()[0]}"
            ) from None
        return self
