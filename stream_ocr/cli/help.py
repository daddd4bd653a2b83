"""Help pages with the usual placeholders (PATH, TEXT, NUMBER) instead of Python's types, and none for flags."""

import re
from typing import Any

import typer
from typer.core import TyperCommand

_PLACEHOLDERS = {"path": "PATH", "str": "TEXT", "int": "NUMBER", "float": "NUMBER"}
_TYPE = re.compile(r"<(?:list\[)?(\w+)[^>]*>")
_CONTEXT: dict[str, Any] = {"max_content_width": 100}  # columns


class Command(TyperCommand):
    """A command with such a help page."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = ["[OPTIONS]"]
        for argument in self._parameters(ctx, "argument"):
            name = _argument_name(argument)
            pieces.append(name if argument.required else f"[{name}]")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            rows = []
            for parameter in self._parameters(ctx, kind):
                if record := parameter.get_help_record(ctx):
                    names, text = record
                    name = _argument_name(parameter) if kind == "argument" else _TYPE.sub(_placeholder, names)
                    rows.append((name, text.replace("  [required]", "")))
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _parameters(self, ctx: Any, kind: str) -> list[Any]:
        return [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == kind]


def new_app(help_text: str, **options: Any) -> typer.Typer:
    """Return a program or a group of commands with plain help pages."""
    return typer.Typer(
        help=help_text, add_completion=False, rich_markup_mode=None, context_settings=_CONTEXT, **options
    )


def _argument_name(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    return f"{name}..." if argument.nargs != 1 else name


def _placeholder(found: re.Match[str]) -> str:
    return _PLACEHOLDERS.get(found[1], found[0])
