"""The ranges an option may have, as annotations: `steps: PositiveInt = 256`."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Gt(0), Le(1)]
UnitInterval = Annotated[float, Ge(0), Le(1)]
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]
"""What `torch.Generator.manual_seed` takes without wrapping around."""
