"""The questions that objectives ask of a network's output, ready to be asked of any image."""

from __future__ import annotations

from collections.abc import Sequence

from convscope.networks.model import Model
from convscope.questions.target import Target
from convscope.synthesis.objective import Objective

KIND = "score"
"""The objective that asks a question."""


def asked_in(objectives: Sequence[Objective], model: Model) -> dict[str, Target]:
    """Text -> the question, for every question in these objectives; photos that they name are
    looked at once."""
    texts = dict.fromkeys(
        str(term.options["question"])
        for objective in objectives
        for term in objective.terms
        if term.kind == KIND
    )
    return {text: Target.of_any_image(model, text) for text in texts}
