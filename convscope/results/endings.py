"""What a result can be saved as; nothing here loads NumPy."""

from __future__ import annotations

ANIMATIONS = (".gif", ".webp")
"""Moving pictures, of results with snapshots."""

PICTURES = (".png", ".jpg", ".jpeg", ".pdf", ".svg", *ANIMATIONS)
"""What is drawn, with the options of the picture."""

CONCEPTS = ".safetensors"
"""Directions of a layer, of `concepts`."""

ENDINGS = (*PICTURES, ".npz", ".json", ".csv", CONCEPTS)
"""What `Result.save` can write."""
