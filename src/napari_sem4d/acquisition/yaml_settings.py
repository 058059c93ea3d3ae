"""Settings models out of YAML text, with sentences that name file and key when something is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from napari_sem4d.errors import SettingsError

Model = TypeVar("Model", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key written twice (plain YAML silently keeps the last one)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a plain word", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(path: str | Path, model: type[Model]) -> Model:
    """Read a settings model from a YAML file.

    Parameters
    ----------
    path : str or Path
        UTF-8 text file.
    model : type
        Any settings model; later parts of the settings tree come as subclasses.

    Returns
    -------
    model
        Checked settings; ``model_fields_set`` tells which keys the file holds.

    Raises
    ------
    SettingsError
        If the file cannot be read, is no YAML, holds an unknown key (the nearest known one is named), or a
        value does not fit.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"The settings file {path} does not exist; check the path.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"The settings file {path} is not UTF-8 text; save it with UTF-8 encoding.") from None
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read ({error.strerror}).") from error
    return parse_yaml(text, model, str(path))


def parse_yaml(text: str, model: type[Model], where: str) -> Model:
    """Read a settings model from YAML text; ``where`` names its place in messages. Raises SettingsError."""
    try:
        # A subclass of SafeLoader: builds plain values only.
        data = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "the text cannot be parsed"
        raise SettingsError(f"{where} is not valid YAML{place}: {problem}.") from None
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        raise SettingsError(f"{where} must hold 'key: value' lines at its top level, not a {type(data).__name__}.")
    return validate(data, model, where)


def validate(data: Mapping[str, Any], model: type[Model], where: str) -> Model:
    """Check plain values against a settings model.

    Raises
    ------
    SettingsError
        One sentence for each fault, with the key's path and ``where`` it stands.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise SettingsError(" ".join(_sentence(fault, model, where) for fault in error.errors())) from None


def _sentence(fault: Any, model: type[BaseModel], where: str) -> str:
    location = tuple(fault["loc"])
    key = ".".join(str(part) for part in location) or "the top level"
    if fault["type"] == "extra_forbidden":
        return _unknown_key(str(location[-1]), location[:-1], model, where)
    message = str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    given = fault.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) or given is None else ""
    return f"'{key}' in {where}: {message}{shown}."


def _unknown_key(key: str, parents: tuple[Any, ...], model: type[BaseModel], where: str) -> str:
    level = _model_at(model, parents)
    near = difflib.get_close_matches(key.lower(), list(level.model_fields) if level else [], n=1, cutoff=0.4)
    inside = f" under '{'.'.join(str(p) for p in parents)}'" if parents else ""
    if near:
        hint = f"the nearest known key is '{near[0]}'"
    else:
        paths = _all_paths(model)
        leaf = {path.rsplit(".", 1)[-1]: path for path in paths}
        far = difflib.get_close_matches(key.lower(), list(leaf), n=1, cutoff=0.6)
        known = ", ".join(level.model_fields) if level else ", ".join(model.model_fields)
        hint = f"the nearest known key is '{leaf[far[0]]}'" if far else f"known keys are: {known}"
    return f"Unknown key '{key}'{inside} in {where}; {hint}."


def _model_at(model: type[BaseModel], parents: tuple[Any, ...]) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for part in parents:
        if isinstance(part, int):
            continue
        if here is None or part not in here.model_fields:
            return None
        here = _inner_model(here.model_fields[part].annotation)
    return here


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None


def _all_paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    paths = []
    for name, info in model.model_fields.items():
        paths.append(prefix + name)
        inner = _inner_model(info.annotation)
        if inner is not None:
            paths += _all_paths(inner, f"{prefix}{name}.")
    return paths
