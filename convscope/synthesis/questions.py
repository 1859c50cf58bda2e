"""The questions that objectives ask of a network's output."""

from __future__ import annotations

from collections.abc import Sequence

from convscope.synthesis.objective import Objective

KIND = "score"
"""The objective that asks a question."""


def question_texts(objectives: Sequence[Objective]) -> list[str]:
    """The text of every question in these objectives, each once."""
    texts = (
        str(term.options["question"])
        for objective in objectives
        for term in objective.terms
        if term.kind == KIND
    )
    return list(dict.fromkeys(texts))
