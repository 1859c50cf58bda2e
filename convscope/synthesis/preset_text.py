"""A preset of one's own: a TOML file anywhere, or what stands in one.

A result's provenance keeps the text, so that a picture is made again when the file is gone or
another one.
"""

from __future__ import annotations

from pathlib import Path

from convscope.errors import OptionError

MAX_BYTES = 1 << 16
"""Of a preset's file."""

ENDING = ".toml"


def is_file(preset: str) -> bool:
    """Whether a preset is written as a path."""
    return preset.endswith(ENDING) and "\n" not in preset


def is_text(preset: str) -> bool:
    """Whether a preset is written as TOML itself."""
    return "=" in preset and not is_file(preset)


def with_content(preset: str) -> str:
    """A file as its text, below its name as a comment; a name or a text as it is.

    Raises:
        OptionError: the file cannot be read, or is larger than a preset can be.
    """
    if not is_file(preset):
        return preset
    path = Path(preset)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise OptionError(f"The preset {preset!r} is larger than {MAX_BYTES} bytes.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"The preset {preset!r} cannot be read as TOML: {error}.") from None
    name = "".join(letter for letter in path.name if letter.isprintable())
    return f"# {name}\n{text}"


def title(preset: str) -> str:
    """What a preset is called in titles and messages: its name, or its file's."""
    if not is_text(preset):
        return preset
    first = preset.partition("\n")[0]
    name = first.removeprefix("# ")
    return name if name != first and name.endswith(ENDING) else "a preset given as text"
