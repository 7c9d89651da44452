"""Reports of `phasegrid reproduce` (FIGURE.json), read with care: every value that is used is checked, and a wrong one
is named by its place, such as picture.series[0].mean."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array

LARGEST = 1e12  # beyond it nothing here can mean, and Matplotlib cannot draw, a number


@dataclass(frozen=True)
class Entry:
    """A value of a report, and its place there."""

    value: Any
    place: str

    def refuse(self, needed: str) -> NoReturn:
        raise InputError(f"{self.place} must be {needed}, not {describe(self.value)}")

    def has(self, key: str) -> bool:
        """Whether a table holds the key, and not as null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def __getitem__(self, key: str) -> Entry:
        if not isinstance(self.value, dict):
            self.refuse(f"a table with the key {key}")
        if key not in self.value:
            raise InputError(f"{self.place}.{key} is missing; keys there: {', '.join(self.value) or 'none'}")
        return Entry(self.value[key], f"{self.place}.{key}")

    def entries(self) -> list[Entry]:
        """The entries of a list of at least one."""
        if not isinstance(self.value, list) or not self.value:
            self.refuse("a list of at least one entry")
        return [Entry(value, f"{self.place}[{at}]") for at, value in enumerate(self.value)]

    def text(self) -> str:
        """One line without markup: a dollar sign is a dollar sign."""
        if not isinstance(self.value, str) or not self.value.isprintable():
            self.refuse("one line of text")
        return self.value.replace("$", r"\$")

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.refuse("true or false")
        return self.value

    def number(self, nulls: bool = False) -> float:
        """A number; NaN for a null where nulls are allowed."""
        if self.value is None and nulls:
            return math.nan
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not abs(self.value) <= LARGEST:
            self.refuse(f"a number within ±{LARGEST:g}{' or null' if nulls else ''}")
        return float(self.value)

    def whole(self, lowest: int, highest: int) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not lowest <= self.value <= highest:
            self.refuse(f"a whole number from {lowest} to {highest}")
        return self.value

    def numbers(self, *shape: int | None, nulls: bool = False, least: float = -math.inf) -> Array:
        """Lists (of lists) of numbers in a shape, None for any extent from 1 on; NaN for nulls where they are allowed.
        No number may lie below `least`."""
        values = self.entries()
        if shape[0] not in (None, len(values)):
            raise InputError(f"{self.place} must hold {shape[0]} entries, not {len(values)}")
        if len(shape) > 1:
            first = values[0].numbers(*shape[1:], nulls=nulls, least=least)
            rest = (value.numbers(*first.shape, nulls=nulls, least=least) for value in values[1:])
            return np.stack([first, *rest])
        row = np.array([value.number(nulls) for value in values])
        for value, number in zip(values, row, strict=True):
            if number < least:
                value.refuse(f"at least {least:g}")
        return row


def describe(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, dict | list):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value)}"
    words = json.dumps(value)
    return words if len(words) <= 40 else words[:37] + "..."


@dataclass(frozen=True)
class Report:
    """What is drawn of a FIGURE.json."""

    figure: str
    preset: str | None
    seeds: int | None
    picture: Entry


def no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number, NaN is written as null")


def load(path: str | os.PathLike[str], figures: Sequence[str]) -> Report:
    """Reads a report of one of the figures. Raises InputError, with the path."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=no_constant)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a report of phasegrid reproduce") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error})") from None
    try:
        return parse(content, figures)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse(content: Any, figures: Sequence[str]) -> Report:
    if not isinstance(content, dict) or "figure" not in content:
        raise InputError("is not a report of phasegrid reproduce, a table with the keys figure and picture")
    figure = content["figure"]
    if figure not in figures:
        raise InputError(f"no picture is known of figure {describe(figure)}; allowed are {', '.join(figures)}")
    if not isinstance(content.get("picture"), dict):
        raise InputError("picture is missing: the report holds nothing to draw")
    whole = Entry(content, "report")
    settings = Entry(content.get("settings"), "settings")
    return Report(
        figure,
        whole["preset"].text() if whole.has("preset") else None,
        settings["seeds"].whole(1, 10**9) if settings.has("seeds") else None,
        Entry(content["picture"], "picture"),
    )
