"""Forms made by magicgui from settings models: one function for every pydantic model.

Label and unit come from the name of the field (``_nm``, ``_kev``, ...), the tooltip from its description, the
limits from its constraints. What the user enters is judged by the model itself.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit, LineEdit, SpinBox
from pydantic import BaseModel, ValidationError

from napari_sem4d.errors import SettingsError

UNITS = {
    "nm": "nm",
    "um": "µm",
    "mm": "mm",
    "kev": "keV",
    "ev": "eV",
    "deg": "°",
    "s": "s",
    "us": "µs",
    "na": "nA",
    "percent": "%",
}


def label_of(name: str) -> str:
    """Label of a field: words, with the unit in brackets ("pixel_nm" gives "pixel (nm)")."""
    head, _, tail = name.rpartition("_")
    if head and tail in UNITS:
        return f"{head.replace('_', ' ')} ({UNITS[tail]})"
    return name.replace("_", " ")


def bare_type(annotation: Any) -> tuple[Any, bool]:
    """The type behind ``Annotated`` and ``| None``, and whether None is allowed."""
    if get_origin(annotation) is Annotated:
        return bare_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [a for a in get_args(annotation) if a is not type(None)]
        optional = len(parts) < len(get_args(annotation))
        if len(parts) == 1:
            return bare_type(parts[0])[0], optional
        return str, optional
    return annotation, False


def settings_form(
    model: type[BaseModel], skip: Iterable[str] = (), values: BaseModel | None = None, label: str = ""
) -> SettingsForm:
    """Make the form of a settings model.

    Parameters
    ----------
    model : type of BaseModel
        The settings model; models inside it become groups.
    skip : iterable of str
        Fields of the top level that are entered elsewhere.
    values : BaseModel, optional
        What the form shows first; the defaults when left out.
    label : str
        Label of the group.
    """
    return SettingsForm(model, frozenset(skip), values, label)


class SettingsForm:
    """A magicgui container that gives a checked settings model.

    Attributes
    ----------
    container : magicgui Container
        The form; ``container.native`` is the Qt widget.
    """

    def __init__(
        self, model: type[BaseModel], skip: frozenset[str], values: BaseModel | None, label: str = ""
    ) -> None:
        self.model = model
        self.groups: dict[str, SettingsForm] = {}
        self.fields: dict[str, Any] = {}
        self._optional: set[str] = set()
        self._held: dict[str, Any] = {}
        children = []
        for name, field in model.model_fields.items():
            if name in skip:
                continue
            kind, optional = bare_type(field.annotation)
            value = getattr(values, name) if values is not None else field.get_default(call_default_factory=True)
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                inner = value if isinstance(value, BaseModel) else None
                group = SettingsForm(kind, frozenset(), inner, label_of(name))
                self.groups[name] = group
                children.append(group.container)
                continue
            if _is_models(kind):
                self._held[name] = value  # lists of models (segments) are not typed into a form
                continue
            widget = _widget(name, kind, optional, value, field)
            widget.tooltip = field.description or ""
            if optional:
                self._optional.add(name)
            self.fields[name] = widget
            children.append(widget)
        self.container = Container(widgets=children, labels=True, label=label, name=model.__name__)
        self.container.margins = (0, 0, 0, 0)

    def raw(self) -> dict[str, Any]:
        """What stands in the form, not yet checked."""
        found: dict[str, Any] = dict(self._held)
        for name, widget in self.fields.items():
            found[name] = _entered(widget.value, name in self._optional, self.model.model_fields[name].annotation)
        for name, group in self.groups.items():
            found[name] = group.raw()
        return found

    def value(self, **known: Any) -> BaseModel:
        """The settings as entered.

        Parameters
        ----------
        known : Any
            Values of the fields that were skipped.

        Raises
        ------
        SettingsError
            With a sentence that names the field.
        """
        try:
            return self.model.model_validate({**known, **self.raw()})
        except ValidationError as error:
            first = error.errors()[0]
            where = ", ".join(label_of(str(part)) for part in first["loc"]) or "settings"
            entered = first.get("input")
            raise SettingsError(f"Please correct '{where}': {entered!r} does not fit. {first['msg']}.") from error

    def set_value(self, values: BaseModel) -> None:
        """Show other values."""
        for name, widget in self.fields.items():
            kind, _ = bare_type(self.model.model_fields[name].annotation)
            widget.value = _shown(getattr(values, name), kind)
        for name, group in self.groups.items():
            inner = getattr(values, name)
            if inner is not None:
                group.set_value(inner)

    def connect(self, changed: Any) -> None:
        """Call ``changed()`` whenever something is entered."""
        self.container.changed.connect(lambda *_: changed())


def _is_models(kind: Any) -> bool:
    return any(isinstance(a, type) and issubclass(a, BaseModel) for a in get_args(kind))


def _widget(name: str, kind: Any, optional: bool, value: Any, field: Any) -> Any:
    label = label_of(name)
    if kind is bool and not optional:
        return CheckBox(name=name, label="", text=label, value=bool(value))
    choices = _choices(kind)
    if choices:
        return ComboBox(name=name, label=label, choices=["", *choices] if optional else choices, value=value or "")
    if isinstance(kind, type) and issubclass(kind, Path):
        return FileEdit(name=name, label=label, value=value or "", nullable=optional)
    low, high = _limits(field)
    if kind is int and not optional and low is not None:
        return SpinBox(name=name, label=label, value=int(value), min=int(low), max=int(high or 1_000_000))
    widget = LineEdit(name=name, label=label, value=_shown(value, kind))
    widget.native.setPlaceholderText("not set" if optional else "")
    return widget


def _choices(kind: Any) -> list[Any]:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [member.value for member in kind]
    return []


def _limits(field: Any) -> tuple[float | None, float | None]:
    low = high = None
    for bound in field.metadata:
        low = getattr(bound, "ge", None) if getattr(bound, "ge", None) is not None else low
        if getattr(bound, "gt", None) is not None:
            low = bound.gt + 1
        high = getattr(bound, "le", None) if getattr(bound, "le", None) is not None else high
        if getattr(bound, "lt", None) is not None:
            high = bound.lt - 1
    return low, high


def _shown(value: Any, kind: Any) -> Any:
    if isinstance(value, bool):
        return value
    if _choices(kind):
        return value.value if isinstance(value, Enum) else (value or "")
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, (tuple, list)):
        return ", ".join(str(_shown(v, None)) for v in value)
    return value if isinstance(value, (int, Path)) and kind is not float and kind is int else str(value)


def _entered(value: Any, optional: bool, annotation: Any) -> Any:
    kind, _ = bare_type(annotation)
    if isinstance(value, str):
        value = value.strip()
        if not value and optional:
            return None
        if get_origin(kind) in (tuple, list):
            return [part.strip() for part in value.split(",") if part.strip()]
    return value
