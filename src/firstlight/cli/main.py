"""`firstlight ...`: one sentence and exit status 2 for what cannot be done, never a traceback for a user's mistake."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence

import typer

from firstlight.cli.commands import application
from firstlight.refusal import Refused

REFUSED, INTERRUPTED, PIPE_CLOSED = 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter shows a "?" instead
            stream.reconfigure(errors="replace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = application(given or ["--help"], prog_name="firstlight", standalone_mode=False)
        sys.stdout.flush()
    except Refused as refused:
        return _complain(str(refused), REFUSED)
    except typer.TyperException as error:
        return _complain(_usage(error), REFUSED)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("Stopped.", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    if status == INTERRUPTED:
        return _complain("Stopped.", INTERRUPTED)
    return status if isinstance(status, int) else 0


def _complain(sentence: str, status: int) -> int:
    print(printable(sentence), file=sys.stderr)
    return status


def _usage(error: typer.TyperException) -> str:
    """What Typer has to say, in our form: one sentence, with the nearest name, and where help is."""
    said = error.format_message()
    said = re.sub(r"\.? \(Possible options: (.*)\)$", r"; did you mean \1?", said)
    said = re.sub(r"\. Did you mean ('[\w-]+').*\?$", r"; did you mean \1?", said)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "firstlight"
    return f"{said[0].lower()}{said[1:]} ({command} --help says more)"


def printable(text: str) -> str:
    """The text with control characters spelt out: what strangers wrote may steer a terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


if __name__ == "__main__":
    sys.exit(main())
