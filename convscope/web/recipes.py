"""The command line and the Python that give what a view shows."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from convscope.core.types import JsonObject
from convscope.networks.command_words import model_words, text_of
from convscope.networks.model import Model
from convscope.web.photos import Photo

POSITIONAL = {"intervene": ("unit",), "place": ("row", "column"), "visualize": ("units",)}
"""Arguments that stand without a name, after the photo."""

WITHOUT_PHOTO = ("visualize",)

IN_MEMORY = "PHOTO"
"""What stands for a photo that has no path."""


@dataclass(frozen=True)
class Call:
    """A verb, its photo's path or sample (None for one in memory), its arguments, and where its
    picture goes."""

    verb: str
    photo: str | None
    arguments: JsonObject
    out: str

    @classmethod
    def of(cls, verb: str, photo: Photo | None, arguments: JsonObject) -> Call:
        """The call that a question stands for."""
        source = photo.source if photo is not None else None
        stem = photo.name.rpartition(".")[0] or photo.name if photo is not None and source else ""
        return cls(
            verb, source, arguments, "-".join(part for part in (stem, verb) if part) + ".png"
        )


def command(model: Model, call: Call) -> str:
    """The line for a shell."""
    words = ["convscope", call.verb]
    words += [] if call.verb in WITHOUT_PHOTO else [call.photo or IN_MEMORY]
    named = dict(call.arguments)
    for name in POSITIONAL.get(call.verb, ()):
        value = named.pop(name)
        words += [str(part) for part in (value if isinstance(value, list) else [value])]
    words += model_words(model) if model.spec is not None else []
    for name, value in named.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, text_of(value)]
    return shlex.join([*words, "--out", call.out])


def python(model: Model, call: Call) -> str:
    """The same as Python."""
    named = dict(call.arguments)
    arguments = [] if call.verb in WITHOUT_PHOTO else [repr(call.photo or IN_MEMORY)]
    arguments += [repr(named.pop(name)) for name in POSITIONAL.get(call.verb, ())]
    arguments += [f"{name}={value!r}" for name, value in named.items()]
    loaded = ", ".join(
        [repr(model.spec)] * (model.spec is not None)
        + [f"{name}={value!r}" for name, value in sorted(model.options.items())]
    )
    first = f"model = convscope.load_model({loaded})"
    if model.spec is None:
        first = f"# model: the network {model.name!r} of your program"
    last = f"convscope.{call.verb}(model, {', '.join(arguments)}).save({call.out!r})"
    return f"import convscope\n\n{first}\n{last}\n"
