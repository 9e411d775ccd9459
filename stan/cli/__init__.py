"""Command lines in; results on stdout, progress and one-line errors on stderr, and an exit code out.

Exit codes: 0 done, 1 a run or a check failed, 2 an error that the user can fix (one line on stderr), 130 Ctrl-C.
Commands import what they need when they are called, so that `stan --help` answers at once.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from importlib import import_module, metadata
from typing import Annotated, Any, NoReturn

import typer

from stan.cli.output import say

COMMANDS = {
    "run": "quickstart",
    **{name: name for name in ("doctor", "notebooks")},
    **dict.fromkeys(("world", "data"), "data"),
    **{name: name for name in ("train", "ablate", "recipe")},
    **dict.fromkeys(("runs", "compare", "report", "published", "cost", "metrics"), "runs"),
    **dict.fromkeys(("track", "import-runs"), "tracking"),
    "orderings": "orderings",
    **dict.fromkeys(("evaluate", "interpolate", "time"), "evaluate"),
    "backbones": "backbones",
    "probe": "probe",
    "probe-levels": "probe_levels",
    **dict.fromkeys(("index", "forget", "search", "recognise"), "videos"),
    **dict.fromkeys(("export-library", "import-library"), "interchange"),
    **dict.fromkeys(("explain", "faithfulness"), "explain"),
    **dict.fromkeys(("dashboard", "demo", "serve"), "apps"),
    **dict.fromkeys(("api", "mcp"), "service"),
    **dict.fromkeys(("pretrain", "export", "push", "convert"), "weights"),
    "bench": "bench",
}
"""Every command, in the order of the help, with the module of this folder that holds it."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"stan {metadata.version('stan-video')}")
        raise typer.Exit


def application(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the application `stan` with these commands.

    A single command loads at once; all commands need every module of this folder.
    """
    app = typer.Typer(
        help="Image-text knowledge carried over to video: train, ablate, compare, search.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_general)  # without a callback, a single command would lose its name
    for name in names:
        command = getattr(import_module(f"stan.cli.{COMMANDS[name]}"), name.replace("-", "_"))
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command()(command)
    return app


def _general(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take what can be asked of no command in particular."""


_USAGE_ERROR: Any = typer.BadParameter.__base__
# the base class of all errors about options and arguments, wherever typer keeps it
_COMMAND_ERROR = _USAGE_ERROR.__base__


def main() -> NoReturn:
    """Run the console command `stan`."""
    _leave(run(sys.argv[1:]))


def _leave(code: int) -> NoReturn:
    """End the process as the interpreter would, but without freeing torch's objects, which takes half a second."""
    threading._shutdown()  # ty: ignore[missing-attribute]  # private, so typeshed leaves it out
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the stream is closed, or its reader is gone
            stream.flush()
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, for example `head`, has read enough
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        asked = [name for name in arguments[:1] if name in COMMANDS] or COMMANDS
        return application(asked)(list(arguments), prog_name="stan", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except _COMMAND_ERROR as error:
        return _usage(error)
    except ModuleNotFoundError as error:
        return _missing(error)
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        return _complain(_one_line(error), 2)


def _usage(error: Any) -> int:
    message, context = error.format_message(), getattr(error, "ctx", None)
    if not message:  # no command was named, and help has been shown
        return 2
    return _complain(message + (f" (see {context.command_path} --help)" if context else ""), 2)


def _missing(error: ModuleNotFoundError) -> int:
    package = (error.name or "stan").partition(".")[0]
    if package == "stan":
        raise error
    return _complain(f"this needs the package {package}: {_remedy(package)}", 2)


def _remedy(package: str) -> str:
    """Return how to install a package that stan-video requires or that one of its extras brings."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

    from stan.common.paths import is_clone

    if is_clone():
        return "run `make install` in the clone"
    extras = []
    with contextlib.suppress(PackageNotFoundError):
        for one in map(Requirement, requires("stan-video") or ()):
            named = one.name.lower().replace("-", "_") == package.lower().replace("-", "_")
            extra = re.search(r"extra == ['\"](\w+)['\"]", str(one.marker or ""))
            if named and extra and extra[1] != "all":
                extras.append(extra[1])
    if not extras:
        return "pip install 'stan-video[all]'"
    return f"it comes with the extra {' and with '.join(extras)}: pip install 'stan-video[{extras[0]}]'"


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(part for part in (error.filename and str(error.filename), error.strerror) if part)
    if isinstance(error, UnicodeEncodeError):  # an argument of bytes that are no UTF-8
        return f"{error.object[error.start : error.end]!r} is no text that UTF-8 can write"
    return str(error) or type(error).__name__


def _complain(message: str, code: int) -> int:
    say(f"stan: {' '.join(message.split())}")
    return code
