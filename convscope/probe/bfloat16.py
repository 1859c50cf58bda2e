"""Whether a processor computes in bfloat16."""

from __future__ import annotations

import torch


def computes_bfloat16(device: torch.device | str) -> bool:
    """Whether arithmetic in bfloat16 has instructions of its own there. Without them it takes many
    times as long as in full precision."""
    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return False
    # Torch has no public question for it.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
