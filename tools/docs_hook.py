"""Fill the documentation's tables from the code at every build, so that they are never stale."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import napari_sem4d.settings
from napari_sem4d.cli import app
from napari_sem4d.cli.console import EXIT_CODES
from napari_sem4d.io.layout import MAPS, SERIES, SERIES_TERMS, TERMS

WORDS = {str: "text", float: "number", int: "whole number", bool: "true or false"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each marker of a page by its table (called by mkdocs)."""
    for marker, table in TABLES.items():
        if marker in markdown:
            markdown = markdown.replace(marker, table())
    return markdown


def result_variables() -> str:
    rows = ["| variable | axes | type | unit | means |", "|---|---|---|---|---|"]
    for axes, variables in (("time, y, x", MAPS | TERMS), ("time", SERIES | SERIES_TERMS)):
        for name, (kind, unit, meaning) in variables.items():
            rows.append(f"| `{name}` | {axes} | {kind} | {unit} | {meaning} |")
    rows.append("| `draws` | time, draw, y, x | float32 | nm | Posterior draws of the height, only on request |")
    return "\n".join(rows)


def settings_reference() -> str:
    return "\n\n".join(_model_tables(napari_sem4d.settings.Settings, "settings"))


def _model_tables(model: type[BaseModel], path: str) -> Iterator[str]:
    rows = [f"### {path}", "", (model.__doc__ or "").strip().split("\n\n")[0], ""]
    rows += ["| key | type | default | means |", "|---|---|---|---|"]
    inner: list[tuple[type[BaseModel], str]] = []
    for name, info in model.model_fields.items():
        if not info.description:
            raise ValueError(f"the setting {path}.{name} has no description")
        sub = _inner_model(info.annotation)
        if sub is not None:
            inner.append((sub, name if path == "settings" else f"{path}.{name}"))
        rows.append(f"| `{name}` | {_type_name(info.annotation)} | {_default(info)} | {_cell(info.description)} |")
    yield "\n".join(rows)
    for sub, sub_path in inner:
        yield from _model_tables(sub, sub_path)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner_model(part))), None)


def _type_name(annotation: Any) -> str:
    parts = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(_type_name(part) for part in parts if part is not type(None))
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return f"list of {_type_name(parts[0])}"
        return f"{len(parts)} values: {', '.join(map(_type_name, parts))}"
    return WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "(must be given)"
    if info.default_factory is not None:
        return "(see below)"
    if info.default is None:
        return "unknown"
    return "none" if info.default == () else f"`{info.default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def command_reference() -> str:
    group: Any = typer.main.get_command(app)
    parts = []
    for name, command in sorted(group.commands.items()):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        call = " ".join(["sem4d", name, *(f"{(p.metavar or p.name).upper()}" for p in arguments)])
        rows = [f"## {name}", "", _cell(command.help or ""), "", f"    {call} [OPTIONS]", ""]
        rows += ["| option | means |", "|---|---|"]
        for p in options:
            names = ", ".join(f"`{o}`" for o in (*p.opts, *p.secondary_opts))
            rows.append(f"| {names}{' (must be given)' if p.required else ''} | {_cell(p.help or '')} |")
        parts.append("\n".join(rows))
    return "\n\n".join([EXIT_CODES, *parts])


TABLES = {
    "<!-- result-variables -->": result_variables,
    "<!-- settings-reference -->": settings_reference,
    "<!-- command-reference -->": command_reference,
}
