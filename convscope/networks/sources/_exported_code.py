"""Whether a torch.export archive could run code when it is opened: read without unpickling.

`torch.export.load` unpickles sample inputs, weights and constants where the archive says so, hands
expressions to SymPy, which evaluates them, and calls the operations that the graph names. An
archive that `torch.export.save` wrote of a vision network needs none of that but tensors, sums of
symbols and ATen's arithmetic; one with anything else is only opened on the user's word.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator

import torch
from torch.export.pt2_archive._package import PT2ArchiveReader

PLAIN = ("archive_format", "archive_version", "byteorder", ".data/", "extra/")
"""Records that are text and never run."""

FILE_OPERATIONS = ("from_file", "save", "load")
"""ATen's operations that open files."""

_OPERATION = re.compile(
    r"torch\.ops\.aten\.(?P<name>\w+)\.\w+"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|and_|or_|eq|ne|lt|le|gt|ge|getitem)"
    r"|torch\.(sym_\w+)|math\.\w+"
    r"|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
)
_TEXT = re.compile(r"[A-Za-z_, >-]{0,40}")
"""Texts that operations take: "same", "bilinear", an einsum equation; no path and no address."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_EXPRESSION = re.compile(r"[\w\s'=,()+*/.-]*")
_KNOWN_WORDS = frozenset(
    """
    Symbol Integer Rational Float Add Mul Pow Mod Max Min Abs Eq Ne Lt Le Gt Ge And Or Not
    FloorDiv ModularIndexing CleanDiv CeilDiv PythonMod IntTrueDiv FloatTrueDiv TruncToInt
    CeilToInt FloorToInt RoundToInt PowByNatural FloatPow ToFloat Where StrictLessThan LessThan
    StrictGreaterThan GreaterThan Equality Unequality Piecewise ExprCondPair true false oo int_oo
    True False positive integer nonnegative precision evaluate floor ceiling
    """.split()  # noqa: SIM905  # forty quoted words are harder to read
)
"""What torch.export writes in the expressions of sizes: SymPy's arithmetic and torch's own."""

_SYMBOL = re.compile(r"[a-z]+\d+")


def code_in(archive: bytes) -> str | None:
    """What in the archive could run code, or None where nothing could.

    Raises:
        Exception: the archive is damaged; of what kind depends on where.
    """
    reader = PT2ArchiveReader(io.BytesIO(archive))
    names = reader.get_file_names()
    if not any(name.startswith("models/") for name in names):
        return "it is an archive of an older or unknown format, which holds pickled objects"
    for name in names:
        reason = _code_in_record(reader, name)
        if reason is not None:
            return reason
    return None


def _code_in_record(reader: PT2ArchiveReader, name: str) -> str | None:
    if name.startswith("models/"):
        return _code_in_graph(json.loads(reader.read_string(name)))
    if name.startswith("data/sample_inputs/"):
        return _code_in_pickle(reader.read_bytes(name), name)
    if name.startswith(("data/weights/", "data/constants/")):
        if not name.endswith("_config.json"):
            return None  # plain numbers, unless a config says that they are pickled
        folder = name.rpartition("/")[0]
        for entry in json.loads(reader.read_string(name))["config"].values():
            path = str(entry["path_name"])
            if "custom_obj" in path or "opaque_obj" in path:
                return f"{path} is an object of its author's"
            if entry.get("use_pickle"):
                reason = _code_in_pickle(reader.read_bytes(f"{folder}/{path}"), path)
                if reason is not None:
                    return reason
        return None
    return None if name.startswith(PLAIN) else f"{name} is a part that may hold compiled code"


def _code_in_pickle(data: bytes, name: str) -> str | None:
    try:
        torch.load(io.BytesIO(data), weights_only=True, map_location="meta")
    except Exception:
        return f"{name} is a pickle with more in it than tensors, so that opening it can run code"
    return None


def _code_in_graph(graph: object) -> str | None:
    for key, value in _items(graph):
        if key == "target" and isinstance(value, str) and "." in value:
            operation = _OPERATION.fullmatch(value)
            if operation is None or operation["name"] in FILE_OPERATIONS:
                return f"its graph calls {value[:80]!r}, which is more than arithmetic"
        elif key == "expr_str" and isinstance(value, str):
            words = set(_WORD.findall(value)) - _KNOWN_WORDS
            if not _EXPRESSION.fullmatch(value) or any(not _SYMBOL.fullmatch(w) for w in words):
                return f"its graph has the expression {value[:80]!r}, which would be evaluated"
        elif key == "as_string" and isinstance(value, str) and not _TEXT.fullmatch(value):
            return f"its graph hands the text {value[:80]!r} to an operation"
    return None


def _items(value: object) -> Iterator[tuple[str, object]]:
    """All keys and values of nested JSON, without recursion: it may be nested deeply on purpose."""
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            yield from part.items()
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
