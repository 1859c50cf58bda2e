"""The file system that a path or URL is on."""

from __future__ import annotations

import os

from convscope.core.extras import need
from convscope.core.types import Foreign


def file_system_of(url: str) -> tuple[Foreign, str]:
    """The fsspec file system of a path or URL, and the path on it.

    Only text with "://" in it is a URL. All other is a path of this machine, taken as it is: fsspec
    itself would read "a::b", an ordinary name of a folder, as two file systems in a row.

    Raises:
        ImportError: the package for that kind of URL is not installed.
        ValueError: there is no such kind of URL.
        ExtraError: fsspec is not installed.
    """
    fsspec = need("fsspec")
    if "://" not in url:
        path = os.path.abspath(os.path.expanduser(url))
        return fsspec.filesystem("file"), path.replace(os.sep, "/")
    files, path = fsspec.core.url_to_fs(url)
    return files, path
