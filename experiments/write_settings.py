"""Writes what follows from the settings table: the types of Python's keywords (phasegrid/settings.py) and the table of
experiments/README.md. A test compares both with the table. Run it with the package of the build:

    PYTHONPATH=build/python python experiments/write_settings.py
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from phasegrid import _core
from phasegrid.sweep import SETTINGS, Setting, Sweep

SOURCE = Path(__file__).resolve().parents[1]
TYPES = SOURCE / "host" / "python" / "phasegrid" / "settings.py"
README = SOURCE / "experiments" / "README.md"
BEGIN, END = "<!-- settings: written by experiments/write_settings.py -->\n", "<!-- settings end -->\n"
BEGIN_CONVENTIONS = "<!-- conventions: written by experiments/write_settings.py -->\n"
END_CONVENTIONS = "<!-- conventions end -->\n"

HEAD = '''"""The keywords of `Sweep` and `train`. Written by experiments/write_settings.py from the settings table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

Number: TypeAlias = float | np.number[Any]
Numbers: TypeAlias = Sequence[float] | NDArray[Any]


class Settings(TypedDict, total=False):
    """Keyword arguments of `Sweep` and `train`, named as in sweep files (experiments/README.md).

    {axes}
    """

    # the defaults of others' notebooks, for what is not given: "anthropic", "arena", "spd", "devinterp" or "liu2025"
    convention: str
'''


def type_of(of: Setting) -> str:
    forms = ["str"] * of.text + ["bool"] * of.yes_no
    if of.words:
        forms.append(f"Literal[{', '.join(json.dumps(word) for word in of.words)}]")
    if of.number:
        forms.append("Number" if of.axis else "int" if of.whole else "float")
    if of.rules:
        forms.append("Mapping[str, Any]")
    if of.list and of.whole:
        forms.append("Sequence[int] | NDArray[Any]")
    elif of.list or of.axis:
        forms.append("Numbers")
    return " | ".join(forms)


def types() -> str:
    axes = [keyword for keyword, of in SETTINGS.items() if of.axis]
    said = f"Numbers that may be an axis take a sequence instead: {', '.join(axes[:-1])} and {axes[-1]}."
    text = HEAD.replace("{axes}", textwrap.fill(said, 116).replace("\n", "\n    "))
    for keyword, of in SETTINGS.items():
        text += "\n".join(textwrap.wrap(of.about, 120, initial_indent="    # ", subsequent_indent="    # "))
        text += f"\n    {keyword}: {type_of(of)}\n"
    return text


def between(text: str, begin: str, end: str, written: str) -> str:
    at, until = text.index(begin) + len(begin), text.index(end)
    return f"{text[:at]}\n{written}\n{text[until:]}"


def conventions() -> str:
    """What each convention says, side by side with this library's own defaults."""
    own = {keyword: of.default for keyword, of in SETTINGS.items()}
    sweeps = {
        name: Sweep(convention=name, n_features=2, sparsity=0.5, n_hidden=1).settings
        for name, _, _ in _core.conventions()
    }
    differing = [key for key in own if any(one.get(key) != own[key] for one in sweeps.values() if key in one)]
    differing = [key for key in differing if key not in ("name", "n_features", "sparsity")]
    lines = ["| | default | " + " | ".join(sweeps) + " |", "|---" * (len(sweeps) + 2) + "|"]
    for key in differing:
        row = [own[key], *(one.get(key) for one in sweeps.values())]
        lines.append(f"| {key} | " + " | ".join(f"`{json.dumps(value)}`" for value in row) + " |")
    return "\n".join(lines) + "\n\n" + "".join(f"- `{name}`: {about}\n" for name, about, _ in _core.conventions())


def readme(text: str) -> str:
    text = between(text, BEGIN, END, _core.settings_markdown())
    return between(text, BEGIN_CONVENTIONS, END_CONVENTIONS, conventions())


if __name__ == "__main__":
    TYPES.write_text(types())
    README.write_text(readme(README.read_text()))
