"""The command line of `stan` in; a page for each command, with its help, arguments and options, out."""

from __future__ import annotations

import json
from typing import Any

import typer.main

from stan import cli
from stan.cli.documents import DOCUMENTS

_HEAD = """# Command line

Every command explains itself by `--help`. Wherever a machine may read the answer, `--json` prints one document; each
command's page has its JSON schema.

`stan --install-completion` teaches your shell (bash, zsh, fish, PowerShell) to complete commands and options;
`stan --show-completion` prints what it would add.

| command | what it does |
|---|---|"""


def pages_of_commands() -> dict[str, str]:
    """Markdown by page: one for each command, named `stan-COMMAND`, and `index`, which lists them all."""
    group = typer.main.get_command(cli.application())
    commands = {f"stan-{name}": command for name, command in group.commands.items()}
    pages = {page: _page(page.replace("-", " ", 1), command) for page, command in commands.items()}
    listed = [
        f"| [`{page.replace('-', ' ', 1)}`]({page}.md) | {_first(command)} |"
        for page, command in commands.items()
    ]
    tree = ["```{toctree}", ":hidden:", "", *pages, "```"]
    pages["index"] = "\n".join([_HEAD, *listed, "", *tree, ""])
    return pages


def _page(title: str, command: Any) -> str:
    parts = [f"# {title}", _help(command)]
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            parts += [f"## {title} {name}", _help(one), _usage(f"{title} {name}", one), _parameters(one)]
            parts += _document(f"{title} {name}")
    else:
        parts += [_usage(title, command), _parameters(command), *_document(title)]
    return "\n\n".join(parts) + "\n"


def _help(command: Any) -> str:
    return (command.help or "").strip()


def _document(title: str) -> list[str]:
    """What the command prints with `--json`, as a JSON schema."""
    schema = DOCUMENTS.get(title.removeprefix("stan "))
    if schema is None:
        return []
    words = f"With `--json`, `{title}` prints a document of this schema; it may have more keys."
    return [words, f"```json\n{json.dumps(schema, indent=1)}\n```"]


def _first(command: Any) -> str:
    """The help's first paragraph on one line."""
    return " ".join(_help(command).split("\n\n")[0].split())


def _usage(title: str, command: Any) -> str:
    arguments = [one.name.upper() for one in command.params if one.param_type_name == "argument"]
    return f"```\n{' '.join([title, *arguments, '[OPTIONS]'])}\n```"


def _parameters(command: Any) -> str:
    return "\n".join(["| | | default |", "|---|---|---|", *map(_parameter, command.params)])


def _parameter(one: Any) -> str:
    names = one.opts if one.param_type_name == "option" else [one.name.upper()]
    default = "" if one.default in (None, (), False) or callable(one.default) else f"`{one.default}`"
    text = " ".join((one.help or "").split()).replace("|", "/")
    return f"| {', '.join(f'`{name}`' for name in names)} | {text} | {default} |"
