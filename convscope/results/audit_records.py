"""What an audit's result says: what stands out, and how well each class is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """Something that stands out in an audit: a `kind` (label, reason or background), the class or
    group it is about, how strong it is, and a sentence."""

    kind: Literal["label", "reason", "background"]
    subject: str
    value: float
    sentence: str


@dataclass(frozen=True)
class ClassAccuracy:
    """A class, how many photos have it as their label, the share that is right, and the ends of
    its interval."""

    label: str
    photos: int
    accuracy: float
    low: float
    high: float
