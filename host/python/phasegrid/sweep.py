"""Sweeps: one architecture, its training settings, and the axes whose product is the phase diagram."""

from __future__ import annotations

import json
import math
import numbers
import os
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core
from phasegrid.settings import Settings as Settings
from phasegrid.text import is_sequence, path_text, shown

_ORIGIN = "keywords"
_MOST_VALUES = 1_000_000  # of an axis, as in C++


class Setting:
    """A row of the settings table (C++), by its keyword: for a list of numbers it may have a second one."""

    def __init__(self, row: Mapping[str, Any], keyword: str) -> None:
        self.table, _, self.key = row["key"].rpartition(".")
        self.default, self.allowed, self.about = row["default"], row["allowed"], row["about"]
        self.words: list[str] = row["words"]
        self.is_other_list = keyword != row["keyword"]
        self.rules: list[str] = [] if self.is_other_list else row["rules"]
        self.mappings: list[str] = [] if self.is_other_list else row["mappings"]
        self.yes_no: bool = row["yes_no"]
        self.axis: bool = row["axis"] and not self.is_other_list
        self.whole: bool = row["whole"]
        self.text: bool = row["text"]
        self.number: bool = row["number"] and not self.is_other_list
        self.list: bool = row["list"] and (self.is_other_list or "list_keyword" not in row)

    @property
    def is_string(self) -> bool:
        return self.text or bool(self.words and not (self.number or self.list or self.rules))

    @property
    def is_list(self) -> bool:
        return self.list and not (self.number or self.words or self.rules)

    @property
    def said(self) -> str:
        """What it may be, as Python has it."""
        forms = [json.dumps(word) for word in self.words]
        forms += ["a number"] * self.number + ["a sequence of numbers"] * self.list
        forms += ["True or False"] * self.yes_no + self.mappings
        return " or ".join([", ".join(forms[:-1]), forms[-1]]) if len(forms) > 1 else forms[0]


SETTINGS: Mapping[str, Setting] = {
    keyword: Setting(row, keyword)
    for row in json.loads(_core.settings())
    for keyword in (row["keyword"], row.get("list_keyword"))
    if keyword is not None
}
_KEYWORDS = {(of.table, of.key): keyword for keyword, of in SETTINGS.items() if not of.is_other_list}
_TABLES = list(dict.fromkeys(of.table for of in SETTINGS.values()))  # "" the first


def _number(keyword: str, value: object) -> str:
    """One number as TOML has it."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise ValueError(
            f"{keyword} must be a number{_or_list(keyword)}, not {shown(value)}{_list_hint(keyword, value)}"
        )
    if isinstance(value, numbers.Integral):
        whole = int(value)
        return str(whole) if abs(whole) < 2**63 else repr(_as_float(whole))
    number = float(value)
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    # 100.0 for a whole number is as good as 100.
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _as_float(whole: int) -> float:
    try:
        return float(whole)
    except OverflowError:
        return -sys.float_info.max if whole < 0 else sys.float_info.max


def _list_hint(keyword: str, value: object) -> str:
    """What to do with several values of a setting that is no axis."""
    if _may_be_axis(keyword) or not is_sequence(value):
        return ""
    return (
        "; it cannot be an axis: train a list of sweeps, one for each value, "
        f"[sweep.replace({keyword}=value) for value in {shown(value)}]"
    )


def _or_list(keyword: str) -> str:
    return " or a sequence of numbers" if _may_be_axis(keyword) else ""


def _may_be_axis(keyword: str) -> bool:
    return keyword in SETTINGS and SETTINGS[keyword].axis


def _list(keyword: str, values: Any) -> str:
    if not is_sequence(values):
        raise ValueError(f"{keyword} must be a sequence of numbers, not {shown(values)}")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise ValueError(f"{keyword} must have one dimension, not the shape {values.shape}")
    if len(values) > _MOST_VALUES:
        raise ValueError(f"{keyword} has {len(values)} values; at most {_MOST_VALUES} are allowed")
    return f"[{', '.join(_number(keyword, value) for value in values)}]"


def _choice(keyword: str, of: Setting, value: object) -> str:
    """A value of one of several forms."""
    if isinstance(value, str) and value in of.words:
        return json.dumps(value)
    if of.list and is_sequence(value):
        return _list(keyword, value)
    raise ValueError(f"{keyword} must be {of.said}, not {shown(value)}")


def _mapping(keyword: str, of: Setting, value: Mapping[Any, Any]) -> str:
    """A rule with its numbers, as TOML has it."""
    if not value or any(key not in of.rules for key in value):
        raise ValueError(f"{keyword} must be {of.said}, not {shown(value)}")
    parts = []
    for key, part in value.items():
        name = f"{keyword}[{json.dumps(key)}]"
        if isinstance(part, str):
            parts.append(f"{key} = {json.dumps(part)}")
        else:
            parts.append(f"{key} = {_list(name, part) if is_sequence(part) else _number(name, part)}")
    return f"{{ {', '.join(parts)} }}"


def _entry(keyword: str, value: object) -> tuple[str, str, str]:
    """(table, key, value) in a sweep file."""
    of = SETTINGS[keyword]
    if of.rules and isinstance(value, Mapping):
        return of.table, of.key, _mapping(keyword, of, value)
    if of.yes_no:
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{keyword} must be True or False, not {shown(value)}{_list_hint(keyword, value)}")
        return of.table, of.key, "true" if value else "false"
    if of.is_string:
        if not isinstance(value, str):
            hint = "; the number of hidden units is n_hidden" if keyword == "hidden" else _list_hint(keyword, value)
            raise ValueError(f"{keyword} must be a string, not {shown(value)}{hint}")
        return of.table, of.key, json.dumps(value)
    if of.is_list:
        return of.table, of.key, _list(keyword, value)
    if of.words or (of.rules and not of.number):
        return of.table, of.key, _choice(keyword, of, value)
    if of.axis and is_sequence(value):
        return "axes", of.key, _list(keyword, value)
    return of.table, of.key, _number(keyword, value)


def unknown(keyword: str, more: Sequence[str] = ()) -> ValueError:
    """The error for a keyword that is no setting, nor one of `more`."""
    near = _core.nearest_name(keyword, [*SETTINGS, *more])
    hint = f"; did you mean {near}" if near else ""
    return ValueError(f"there is no setting {shown(keyword)}{hint}; there are {', '.join(SETTINGS)}")


def table_of_settings() -> str:
    """Every keyword with its default and what it is, as the documentation of train() has them."""
    lines = []
    for keyword, of in SETTINGS.items():
        if of.is_other_list:
            continue
        default = "" if of.default is None else f" = {of.default if of.yes_no else json.dumps(of.default)}"
        other = [name for name, it in SETTINGS.items() if it.is_other_list and (it.table, it.key) == (of.table, of.key)]
        allowed = of.said if of.rules else of.allowed
        about = f"{of.about}; {f'{other[0]}: a list of one per feature' if other else allowed}"
        lines += textwrap.wrap(
            _in_keywords(about, False),
            120,
            initial_indent=f"        {keyword}{' *' if of.axis else ''}{default}".ljust(36) + "  ",
            subsequent_indent=" " * 38,
            break_long_words=False,
        )
    return "\n".join(lines)


def to_toml(settings: Mapping[str, Any]) -> str:
    """The sweep file that says what these keyword arguments say.

    Raises ValueError for an unknown keyword or a value of the wrong type; what numbers may be is checked by the reader.
    """
    tables: dict[str, list[str]] = {table: [] for table in (*_TABLES, "axes")}
    if "sparsity" in settings and "feature_sparsity" in settings:
        raise ValueError("sparsity and feature_sparsity exclude each other; give one of them")
    for keyword, value in settings.items():
        if keyword == "convention":
            if not isinstance(value, str):
                raise ValueError(f"convention must be a string, not {shown(value)}")
            tables[""].append(f"convention = {json.dumps(value)}")
            continue
        if keyword not in SETTINGS:
            raise unknown(keyword)
        table, key, text = _entry(keyword, value)
        tables[table].append(f"{key} = {text}")
    return "\n".join(
        line for table, lines in tables.items() if lines for line in ([f"[{table}]"] if table else []) + lines
    )


def parse(settings: Mapping[str, Any]) -> _core.Sweep:
    """The sweep of keyword arguments. Raises ValueError with the reader's sentence, keys made keywords."""
    text = to_toml(settings)
    if "n_features" not in settings:
        raise ValueError(f"n_features must be given, {SETTINGS['n_features'].allowed}")
    if not settings.keys() & {"sparsity", "feature_sparsity", "active"}:
        raise ValueError(
            "sparsity must be given, a number from 0 to below 1 or a sequence of them, or feature_sparsity, a number "
            "for each feature, or active"
        )
    try:
        return _core.parse_sweep(text, _ORIGIN)
    except ValueError as error:
        sentence = re.sub(rf"^{_ORIGIN}:(\d+: | )", "", str(error))
        raise ValueError(_in_keywords(sentence, "feature_sparsity" in settings)) from None


def _in_keywords(sentence: str, own_sparsities: bool) -> str:
    """A sentence about keys of a sweep file as one about keyword arguments; what stands in quotes stays."""

    def keyword(found: re.Match[str]) -> str:
        table, key, rule = found["table"], found["key"], found["rule"]
        if table is None:
            return found[0]
        if (table, key) == ("data", "sparsity"):
            return "feature_sparsity" if own_sparsities else "sparsity"
        name = key if table == "axes" else _KEYWORDS.get((table, key), found[0])
        return f"{name}[{json.dumps(rule)}]" if rule else name

    rules = [rule for of in SETTINGS.values() for rule in of.rules]
    key = rf"\b(?P<table>{'|'.join([*filter(None, _TABLES), 'axes'])})\.(?P<key>\w+)(?:\.(?P<rule>{'|'.join(rules)}))?"
    return re.sub(rf'"[^"]*"|{key}', keyword, sentence)


class Sweep:
    """A checked sweep.

    Raises ValueError, naming the setting and what is allowed, where one cannot be used.
    """

    def __init__(self, **settings: Unpack[Settings]) -> None:
        self._set(parse({"name": "sweep", **settings}))

    @classmethod
    def from_core(cls, core: _core.Sweep) -> Sweep:
        sweep = cls.__new__(cls)
        sweep._set(core)
        return sweep

    def _set(self, core: _core.Sweep) -> None:
        self.core = core
        self.name: str = core.name
        self.restarts: int = core.restarts
        self.seed: int = core.seed
        self.n_features: int = core.n_features
        self.n_hidden: int = core.n_hidden  # the most of any cell, as the next two
        self.n_experts: int = core.n_experts
        self.top_k: int = core.top_k

    @property
    def axes(self) -> dict[str, NDArray[np.float64]]:
        """Name -> values of the grid's dimensions, in the order of the arrays: sparsity and last_importance first,
        of length 1 where they are no axis. Sparsity is NaN where features have their own.
        """
        return dict(self.core.dimensions)

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of the grid, as the arrays of results begin."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def models(self) -> int:
        """Models that a training makes: cells times restarts. Cells of a top_k above their n_experts have none."""
        return self.core.models

    @property
    def config(self) -> dict[str, Any]:
        """Every setting, as the `config` of a results file has them."""
        config: dict[str, Any] = json.loads(self.core.config)
        return config

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting by its keyword: `Sweep(**sweep.settings)` is the sweep again, unless it is from a file that has
        both a seed and an axis of seeds (`config` has both; here `seed` is the axis).
        """
        config = self.config
        found: dict[str, Any] = {}
        for keyword, of in SETTINGS.items():
            value = (config[of.table] if of.table else config).get(of.key)
            if value is not None and isinstance(value, list) >= of.is_other_list:
                found[keyword] = value
        if "feature_sparsity" in found:
            del found["sparsity"]
        found.update(config["axes"])
        return found

    def replace(self, **settings: Unpack[Settings]) -> Sweep:
        """The sweep with some settings changed, each given as in `Sweep`.

            base = phasegrid.Sweep(n_features=20, n_hidden=5, sparsity=[0.5, 0.9])
            phasegrid.train([base.replace(n_experts=E, name=f"E{E}") for E in (1, 2, 4)])

        A sequence makes a setting an axis and a number makes it none. sparsity, feature_sparsity and active replace
        each other.
        """
        kept = self.settings
        presence = {"sparsity", "feature_sparsity", "active"}
        if presence & settings.keys():
            for one in presence - settings.keys():
                kept.pop(one, None)
        changed = Sweep(**{**kept, **settings})
        if "seed" in settings or "seed" not in self.config["axes"]:
            return changed
        return _from_config(json.dumps(changed.config | {"seed": self.seed}))  # which the axis is added to

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sweep) and self.core.config == other.core.config

    def __hash__(self) -> int:
        return hash(self.core.config)

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_config, (self.core.config,)

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}: {len(values)}" for name, values in self.axes.items() if len(values) > 1)
        return (
            f"<Sweep {self.name!r}: n={self.n_features} m={self.n_hidden} E={self.n_experts} k={self.top_k}, "
            f"{axes or 'one cell'}, {self.restarts} restart{'s' if self.restarts > 1 else ''}>"
        )


def _from_config(config: str) -> Sweep:
    return Sweep.from_core(_core.parse_config(config))


def read_sweeps(
    path: str | os.PathLike[str], *, set: Sequence[str] = (), preset: str = "paper", variant: str = ""
) -> list[Sweep]:
    """The sweeps of a TOML file: one, or where it has [variants.NAME] tables one for each.

    set: changes, each "path=toml-value" as after --set, e.g. "train.steps=100".
    Raises ValueError naming file, key and what is allowed.
    """
    if isinstance(set, str):
        raise ValueError(f'set must be a sequence of changes, each "path=toml-value", not {shown(set)}')
    for change in (*set, preset, variant):
        if not isinstance(change, str):
            raise ValueError(f"set, preset and variant must be strings, not {shown(change)}")
    return [Sweep.from_core(core) for core in _core.read_sweeps(path_text("path", path), list(set), preset, variant)]
