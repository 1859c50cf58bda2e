"""A file or folder on disk is the old one or the new one: when the disk is full, when the process
is killed, and when two write at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from convscope.atlas.store.staging import MARK, StagingFolder
from convscope.core.files import exchange, write_whole
from convscope.errors import OutputError

SIZES = (100_000, 1_000_000, 3_000_000)

WRITER = """
import sys
from convscope.core.files import write_whole
first, rounds = int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
for number in range(first, first + rounds):
    write_whole(sys.argv[1], bytes([number % 251]) * (100_000, 1_000_000, 3_000_000)[number % 3])
"""

LIMITED = """
import resource, sys
from convscope.core.files import write_whole
from convscope.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
try:
    write_whole(sys.argv[1], bytes(100_000))
except OutputError as error:
    sys.exit(str(error))
"""


def child(code: str, *arguments: str | int) -> subprocess.Popen[str]:
    """A process that imports no torch."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def assert_whole(path: Path) -> None:
    """One writer's bytes, and all of them."""
    data = path.read_bytes()
    assert len(data) in SIZES
    assert data == data[:1] * len(data)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit here")
def test_a_disk_that_is_full_in_the_middle_of_a_write(tmp_path):
    """A limit on the size of files, which ends a write halfway as a full disk does."""
    path = tmp_path / "p.png"
    path.write_bytes(b"old")
    writer = child(LIMITED, path)
    _, said = writer.communicate(timeout=60)
    assert said.strip() == f"Cannot write {path}: File too large."
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["mkstemp", "chmod", "replace"])
def test_a_disk_that_is_full_at_any_step(step, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    path = write_whole(tmp_path / "p.png", b"old")
    monkeypatch.setattr(tempfile if step == "mkstemp" else os, step, full)
    with pytest.raises(OutputError, match=r"Cannot write .*p\.png: No space left on device\."):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path):
    path = write_whole(tmp_path / "p.png", bytes(SIZES[0]))
    for moment in (0.0, 0.004, 0.009, 0.013, 0.021, 0.034):
        writer = child(WRITER, path, 1, 10**6)
        assert writer.stdout.readline() == "ready\n"
        time.sleep(moment)
        writer.kill()
        writer.communicate()
        assert writer.returncode == -9
        assert_whole(path)
    assert all(left.name.startswith(".p.png.") for left in tmp_path.iterdir() if left != path)


def test_two_processes_that_write_one_file_leave_one_whole(tmp_path):
    path = write_whole(tmp_path / "p.png", bytes(SIZES[0]))
    writers = [child(WRITER, path, first, 60) for first in (1, 101)]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        assert_whole(path)
        seen += 1
    for writer in writers:
        assert writer.communicate()[1] == ""
        assert writer.returncode == 0
    assert seen > 3
    assert_whole(path)
    assert list(tmp_path.iterdir()) == [path]


def page(folder: Path) -> str:
    return (folder / "page.html").read_text()


def write_site(out: Path, text: str) -> None:
    with StagingFolder(out) as site:
        site.write(MARK, b"{}")
        site.write("page.html", text.encode())


def test_a_folder_takes_the_place_of_another_in_one_step(tmp_path, monkeypatch):
    """Also for a process that is killed at its last system call."""
    out = tmp_path / "site"
    write_site(out, "old")
    renames = []
    monkeypatch.setattr(os, "rename", lambda *paths: renames.append(paths))
    if not exchange(tmp_path / "site", tmp_path / "site"):
        pytest.skip("this system or file system exchanges no folders")
    write_site(out, "new")
    assert page(out) == "new"
    assert renames == []
    assert [left.name for left in tmp_path.iterdir()] == ["site"]


def test_a_folder_that_another_writer_made_meanwhile(tmp_path):
    out = tmp_path / "site"
    with StagingFolder(out) as site:
        site.write("page.html", b"late")
        write_site(out, "early")
    assert page(out) == "late"
    assert [left.name for left in tmp_path.iterdir()] == ["site"]


def test_a_folder_without_the_call_that_exchanges_two(tmp_path, monkeypatch):
    monkeypatch.setattr("convscope.atlas.store.staging.exchange", lambda *paths: False)
    out = tmp_path / "site"
    write_site(out, "old")
    write_site(out, "new")
    assert page(out) == "new"
    assert [left.name for left in tmp_path.iterdir()] == ["site"]


def test_what_is_not_there_is_exchanged_with_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    assert not exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").is_dir()
