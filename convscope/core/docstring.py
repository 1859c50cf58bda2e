"""The parts of a docstring: its first sentence, its text, the help of each argument, examples."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

_SECTIONS = ("Args:", "Example:", "Examples:", "Raises:", "Returns:")


def of_file(path: Path, name: str) -> str:
    """The docstring of a function at the top of a file, found by its text: `Schema.of_file` parses
    the whole file, which takes ten times as long."""
    text = path.read_text(encoding="utf-8")
    match = re.search(rf'^def {name}\(.*?\n    """(.*?)"""', text, re.MULTILINE | re.DOTALL)
    return inspect.cleandoc(match[1]) if match else ""


def summary(doc: str) -> str:
    """The first sentence."""
    first = " ".join(doc.split("\n\n")[0].split())
    head, dot, _ = first.partition(". ")
    return head + (dot.strip() or "")


def body(doc: str) -> str:
    """The text without the sections that follow it."""
    return "\n\n".join(
        paragraph for paragraph in doc.split("\n\n") if not paragraph.lstrip().startswith(_SECTIONS)
    )


def command_lines(doc: str) -> list[str]:
    """The command lines of its examples: lines that begin with a dollar sign."""
    return [line.strip()[2:] for line in doc.splitlines() if line.strip().startswith("$ ")]


def argument_help(doc: str) -> dict[str, str]:
    """Parameter name -> its text in the `Args:` section."""
    helps: dict[str, str] = {}
    name = None
    for line in doc.partition("\nArgs:\n")[2].splitlines():
        if line.strip() and not line.startswith("    "):
            break
        entry = line[4:]
        if entry and not entry.startswith(" ") and ":" in entry:
            name, _, text = entry.partition(":")
            helps[name.strip()] = text.strip()
        elif name and entry.strip():
            helps[name.strip()] += " " + entry.strip()
    return helps
