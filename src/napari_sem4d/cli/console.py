"""How every command talks: answers on stdout, everything else on stderr, faults as one sentence."""

from __future__ import annotations

import functools
import json
import os
import traceback
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from napari_sem4d.errors import Cancelled, Sem4dError, SettingsError

Command = TypeVar("Command", bound=Callable[..., Any])

DONE = 0
INPUT_AT_FAULT = 1
CALL_AT_FAULT = 2
CANCELLED = 130
"""The shell's number for Ctrl-C."""

EXIT_CODES = (
    "Exit codes: 0 done; 1 the input or the answer is at fault; 2 the call or the settings are at fault; "
    "130 cancelled with Ctrl-C (what was finished is kept)."
)

Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, for programs.")]


def note(text: str) -> None:
    """Print a remark for the person at the screen, on stderr."""
    typer.echo(text, err=True)


def errors() -> Console:
    """A rich console on stderr (made when needed, so that redirection is seen)."""
    return Console(stderr=True)


def answer(data: dict[str, Any], as_json: bool, text: Callable[[dict[str, Any]], str]) -> None:
    """Print an answer on stdout, as JSON or in words."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False) if as_json else text(data))


def told(command: Command) -> Command:
    """Turn what goes wrong in a command into one sentence on stderr and the exit code that it means.

    ``SEM4D_TRACEBACK=1`` shows where a fault came from.
    """

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (KeyboardInterrupt, Cancelled) as error:
            note(str(error) or "Cancelled.")
            raise typer.Exit(CANCELLED) from error
        except Sem4dError as error:
            _say(str(error))
            code = CALL_AT_FAULT if isinstance(error, SettingsError) else INPUT_AT_FAULT
            raise typer.Exit(code) from error
        except MemoryError as error:
            _say("There is not enough memory for this; use a smaller image or a machine with more.")
            raise typer.Exit(INPUT_AT_FAULT) from error
        except OSError as error:
            _say(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
            raise typer.Exit(INPUT_AT_FAULT) from error
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            _say(
                f"{type(error).__name__}: {error}. This is a fault of the program: please report it, with what "
                "the same command prints after SEM4D_TRACEBACK=1 is set in the environment."
            )
            raise typer.Exit(INPUT_AT_FAULT) from error

    return wrapper  # type: ignore[return-value]


def _say(sentence: str) -> None:
    if os.environ.get("SEM4D_TRACEBACK"):
        note(traceback.format_exc())
    note(f"sem4d: {sentence}")
