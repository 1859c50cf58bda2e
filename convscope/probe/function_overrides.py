"""Answer chosen functions of torch oneself while a network runs: sees functional calls as well as
modules, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch.overrides import TorchFunctionMode


class FunctionOverrides(TorchFunctionMode):
    """Inside the block, a call of a function in `answers` is handed to its answer, which may call
    the function itself."""

    def __init__(self, answers: Mapping[object, Callable[..., object]]) -> None:
        super().__init__()
        self.answers = answers

    def __torch_function__(
        self,
        function: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        return self.answers.get(function, function)(*args, **(kwargs or {}))
