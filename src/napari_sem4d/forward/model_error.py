"""The engines' own errors against Monte Carlo: the tables that are shipped with them."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any

from napari_sem4d.surrogate.model_error import ModelErrorTable

LOCAL = "local_model_error.json"


@lru_cache(maxsize=1)
def local_model_error() -> ModelErrorTable:
    """Signal error of the engine ``local``: everything that the interaction volume changes."""
    text = (resources.files("napari_sem4d.forward") / LOCAL).read_text(encoding="utf-8")
    return ModelErrorTable.model_validate(json.loads(text))


def vift_model_error(card: dict[str, Any], sha256: str) -> ModelErrorTable | None:
    """Signal error of the engine ``vift`` with some weights, from their card; None where it was not measured."""
    if "model_error" not in card:
        return None
    table = ModelErrorTable.model_validate(card["model_error"])
    return table if table.weights == sha256 else None
