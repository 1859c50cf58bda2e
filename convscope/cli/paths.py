"""What is read and written, looked at before any work is done and before torch is loaded."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from convscope.errors import ImageError, InputError, OutputError, suggest

PREFIX = "sample:"
"""That of `photos/samples.py`, which loads NumPy."""

FULL_DEVICE = os.makedev(1, 7) if hasattr(os, "makedev") else 0
"""/dev/full, which is always full."""

STDOUT = "-"
"""Written as --out: the answer goes to standard output."""


def photos_in(typed: Mapping[str, object]) -> tuple[str, ...]:
    """The photos among what was typed."""
    photos = typed.get("photo") or typed.get("photos")
    return photos if isinstance(photos, tuple) else ()


def check_inputs(photos: Sequence[str], listed: Sequence[str] = ()) -> None:
    """Refuse photos that are not there. `listed` are options with several values that were given:
    what follows one after a space is read as a photo.

    Raises:
        ImageError: a file that does not exist.
    """
    for photo in photos:
        path = Path(photo)
        if photo.startswith(PREFIX) or os.path.exists(path):
            continue
        if "://" in photo:
            raise ImageError(f"There is no file {photo}; download it first.")
        try:
            near = [str(path.parent / name) for name in os.listdir(path.parent)]
        except OSError:
            near = []
        hint = suggest(photo, near)
        sentence = f"There is no file {photo}" + (
            f"; {hint}" if hint.startswith("did you mean") else ", and no sample: photo either."
        )
        if listed:
            sentence += f" Several values of --{listed[0]} are separated by commas."
        raise ImageError(sentence)


def check_output(out: str, inputs: Sequence[str], endings: Sequence[str]) -> None:
    """Refuse a place that cannot be written, or that would overwrite what is read.

    Raises:
        OutputError: another ending, a name that is not UTF-8, a folder, an input, or a folder
            that may not be written.
    """
    path = Path(out)
    if not _is_unicode(out):
        raise OutputError(f"--out {out}: the name is not UTF-8; give another one.")
    if path.suffix.lower() not in endings:
        raise OutputError(f"--out {out}: the name must end in {' or '.join(endings)}.")
    if os.path.isdir(path):
        raise OutputError(f"--out {out} is a folder; give the name of a file.")
    for source in inputs:
        if os.path.exists(path) and os.path.exists(source) and path.samefile(source):
            raise OutputError(f"--out {out} would overwrite what is read; give another name.")
    parent = path.parent
    while not os.path.exists(parent):
        parent = parent.parent
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK):
        raise OutputError(f"--out {out} cannot be written: {parent} is not a folder to write in.")


def check_standard_output() -> None:
    """Refuse a standard output that is closed or full.

    Raises:
        OutputError: nothing can be written there.
    """
    try:
        number = sys.stdout.fileno()
        status = os.fstat(number)
    except io.UnsupportedOperation:  # it is no file but something in memory
        return
    except (AttributeError, ValueError, OSError):
        raise OutputError("Standard output is closed; send it to a file or to /dev/null.") from None
    is_full = stat.S_ISREG(status.st_mode) and os.fstatvfs(number).f_bavail == 0
    if is_full or (stat.S_ISCHR(status.st_mode) and status.st_rdev == FULL_DEVICE):
        raise OutputError("Standard output is full: the device has no space left.")


@contextmanager
def reader_may_stop() -> Iterator[None]:
    """Inside the block a reader of standard output that has read enough (`| head -1`) ends the
    command, and nothing is wrong.

    Raises:
        Exit: with code 0; click makes a silent 1 of a broken pipe.
    """
    try:
        yield
    except BrokenPipeError:
        if not _has_no_reader(sys.stdout):  # another connection broke
            raise
        drop_output()
        raise click.exceptions.Exit(0) from None


def _has_no_reader(stream: TextIO) -> bool:
    if not hasattr(select, "poll"):  # Windows has none
        return True
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def drop_output() -> None:
    """Send what is still to be printed nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def default_output(verb: str, photos: Sequence[str]) -> str:
    """Where a picture goes when nobody said: named after the photo and the verb, in this folder.

    A picture that another photo was drawn into is never overwritten: the name gets a number.
    """
    stem = f"{Path(photos[0].removeprefix(PREFIX)).stem}-{verb}" if photos else verb
    stem = stem.encode(errors="replace").decode()
    name, number = f"{stem}.png", 2
    while photos and Path(name).exists() and not _is_made_from(name, photos[0]):
        name, number = f"{stem}-{number}.png", number + 1
    return name


def _is_made_from(picture: str, photo: str) -> bool:
    """Whether a picture was made from that photo, by what it says itself."""
    from convscope.results.png import read_provenance

    wanted = photo if photo.startswith(PREFIX) else str(Path(photo).resolve())
    try:
        records = read_provenance(picture)["photos"]
    except (InputError, KeyError):
        return False
    return bool(records) and records[0]["path"] == wanted
