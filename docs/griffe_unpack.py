"""In the reference, a verb has each option of the TypedDict that its `**overrides` unpack."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import griffe

from convscope.core.unpack import doc_with, keys_in, unpacked_name


class UnpackExtension(griffe.Extension):
    """Writes the options out before the page is made."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Called for each function that is read."""
        *written, last = [None, *func.parameters]
        if last is None or last.kind is not griffe.ParameterKind.var_keyword:
            return
        name = unpacked_name(ast.parse(str(last.annotation), mode="eval").body)
        if name is None:
            return
        keys = keys_in(Path(str(func.filepath)), name)
        options = [
            griffe.Parameter(
                key.name,
                annotation=ast.unparse(key.annotation),
                kind=griffe.ParameterKind.keyword_only,
                default="None",
            )
            for key in keys
        ]
        func.parameters = griffe.Parameters(*filter(None, written), *options)
        if func.docstring is not None:
            func.docstring.value = doc_with(func.docstring.value, keys)
