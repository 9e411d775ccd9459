"""Command lines in; what they ask for on stdout, progress and one-line errors on stderr, an exit code out.

Exit codes: 0 done, 1 a run or a check failed, 2 an error that the user can mend (one line on stderr), 130 Ctrl-C.
Commands import what they need when they are called, so that `stan --help` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from stan.cli import (
    ablate,
    apps,
    bench,
    data,
    doctor,
    evaluate,
    explain,
    notebooks,
    quickstart,
    recipe,
    runs,
    train,
    videos,
    weights,
)
from stan.cli.output import say

app = typer.Typer(
    help="Image-text knowledge carried over to video: train, ablate, compare, search.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    *(data.world, weights.pretrain, train.train, weights.export, weights.convert),
    *(evaluate.evaluate, ablate.ablate, recipe.recipe),
    *(runs.runs, runs.compare, runs.report, runs.published, runs.cost, runs.metrics),
    *(videos.index, videos.search, videos.recognise, evaluate.time),
    *(explain.explain, explain.faithfulness),
    *(quickstart.run, apps.dashboard, apps.demo, apps.serve, notebooks.notebooks, doctor.doctor),
):
    app.command()(_command)
app.add_typer(data.data, name="data")
app.add_typer(bench.bench, name="bench")

_USAGE_ERROR = typer.BadParameter.__base__
_COMMAND_ERROR = (
    _USAGE_ERROR.__base__
)  # what every wrong option or argument is, wherever typer keeps the class


def main() -> NoReturn:
    """The console entry."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; the exit code."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` say, has what it wants
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        return app(list(arguments), prog_name="stan", standalone_mode=False) or 0
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


def _usage(error: Exception) -> int:
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
    """How to get a package that one of the extras of stan-video brings, or that it cannot do without."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

    from stan.common.paths import is_clone

    if is_clone():
        return "run `make install` in the clone"
    with contextlib.suppress(PackageNotFoundError):
        for one in map(Requirement, requires("stan-video") or ()):
            named = one.name.lower().replace("-", "_") == package.lower().replace("-", "_")
            extra = re.search(r"extra == ['\"](\w+)['\"]", str(one.marker or ""))
            if named and extra:
                return f"it comes with the extra {extra[1]!r}: pip install 'stan-video[{extra[1]}]'"
    return "pip install 'stan-video[all]'"


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(part for part in (error.filename and str(error.filename), error.strerror) if part)
    return str(error) or type(error).__name__


def _complain(message: str, code: int) -> int:
    say(f"stan: {' '.join(message.split())}")
    return code
