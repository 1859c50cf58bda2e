"""The command line: parse, call the verb, write. No arithmetic, and no torch until a verb runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `convscope ...` and return its exit code: 0, 2 for anything the user can mend, 130 after
    Ctrl-C."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # also while the first modules are still being loaded
        _say("stopped.")
        return 130


def _run(arguments: list[str]) -> int:
    # Threads that spin for long while they wait slow each other down many times over where other
    # programs want the cores too.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    import click

    from convscope.cli.commands import Verbs
    from convscope.cli.messages import usage_sentence
    from convscope.cli.paths import drop_output
    from convscope.errors import ConvscopeError

    code = 0
    try:
        returned = Verbs().main(arguments, prog_name="convscope", standalone_mode=False)
        code = returned if isinstance(returned, int) else 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except ConvscopeError as error:
        code = _say(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = 2
    except click.UsageError as error:
        code = _say(usage_sentence(error))
    except click.ClickException as error:
        code = _say(error.format_message())
    except click.Abort:
        _say("stopped.")
        code = 130
    except BrokenPipeError:
        drop_output()
    except OSError as error:
        if error.filename is not None or sys.stdout is None:
            raise
        # A write to standard output: what is in its buffer would raise once more at the end.
        drop_output()
        code = _say(f"Standard output cannot be written: {error.strerror or error}.")
    return code


def _say(sentence: str) -> int:
    from convscope.errors import printable

    print(f"convscope: {printable(sentence)}", file=sys.stderr)
    return 2


def run() -> None:
    """The entry point of the `convscope` script."""
    sys.exit(main())
