"""`firstlight ...`: one sentence and exit status 2 for what cannot be done, never a traceback for a user's mistake."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence

import typer

from firstlight.cli.commands import application
from firstlight.cli.escaping import printable
from firstlight.refusal import Refused, nearest

REFUSED, INTERRUPTED, PIPE_CLOSED = 2, 130, 141
STANDARD_OUTPUT = 1  # the number of its file
NO_MEMORY_FOR_A_TENSOR = "can't allocate memory"  # what torch says, as a RuntimeError
OUT_OF_MEMORY = "This takes more memory than there is; take fewer rows or columns, or a machine with more."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter shows a "?" instead
            stream.reconfigure(errors="replace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = application(given, prog_name="firstlight", standalone_mode=False)
        sys.stdout.flush()
    except Refused as refused:
        return _complain(str(refused), REFUSED)
    except typer.TyperException as error:
        return _complain(_usage(error), REFUSED)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("Stopped.", INTERRUPTED)
    except (BrokenPipeError, SystemExit):  # Typer and Rich turn the first into the second, and use it for nothing else
        os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_OUTPUT)  # whoever read it, such as head, has seen enough
        return PIPE_CLOSED
    except MemoryError:
        return _complain(OUT_OF_MEMORY, REFUSED)
    except OSError as error:
        return _complain(_of_the_system(error), REFUSED)
    except RuntimeError as error:
        if NO_MEMORY_FOR_A_TENSOR not in str(error):
            raise
        return _complain(OUT_OF_MEMORY, REFUSED)
    if status == INTERRUPTED:
        return _complain("Stopped.", INTERRUPTED)
    return status if isinstance(status, int) else 0


def _of_the_system(error: OSError) -> str:
    """A sentence for what the system refused, with the file where it names one."""
    said = (error.strerror or str(error)).lower().rstrip(".")
    return f"{error.filename}: {said}." if error.filename else f"The system refused: {said}."


def _complain(sentence: str, status: int) -> int:
    print(printable(sentence), file=sys.stderr)
    return status


def _usage(error: typer.TyperException) -> str:
    """What Typer has to say, in our form: one sentence, with the nearest name, and where help is."""
    said = error.format_message().replace("Value error, ", "").rstrip(".")
    if unknown := re.fullmatch(r"No such option: (\S+)(?: \(Possible options: (.*)\))?", said):
        near = nearest(unknown[1], (unknown[2] or "").split(", "))
        said = f"there is no option {unknown[1]}" + (f"; did you mean {near}?" if near else "")
    elif unknown := re.match(r"No such command '(.*?)'(?:\. Did you mean '([\w-]+)')?", said):
        said = f"there is no command {unknown[1]!r}" + (f"; did you mean {unknown[2]!r}?" if unknown[2] else "")
    elif unknown := re.fullmatch(r"Invalid value for '(--\S+).*': '(.*)' is not one of (.*)", said):
        said = f"{unknown[1]} {unknown[2]!r} is not one of {unknown[3]}"
    elif unknown := re.fullmatch(r"Invalid value for '(--\S+).*': Input should be a valid (integer|number).*", said):
        said = f"{unknown[1]} needs a {'whole number' if unknown[2] == 'integer' else 'number'}"
    elif unknown := re.fullmatch(r"Missing argument '(.*)'", said):
        said = f"{unknown[1]} is missing"
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "firstlight"
    end = "" if said.endswith("?") else "."
    return f"{said}{end} `{command} --help` says more."


if __name__ == "__main__":
    sys.exit(main())
