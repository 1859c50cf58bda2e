"""What the readers of other people's files raise when one is cut, changed or forged."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib

DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    AttributeError,
    SyntaxError,
    # A compression method that is unknown, a member that says it is encrypted, too deep a nesting.
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    # The header of a .npy file is read as a Python literal.
    tokenize.TokenError,
)
"""Of NumPy, zipfile, json and pyarrow; a MemoryError is not among them, since it has its own
sentence."""
