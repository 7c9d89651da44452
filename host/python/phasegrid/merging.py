"""merge_files(): shards into one results file, a few megabytes of each at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence

from phasegrid import _core
from phasegrid.text import file_to_write, path_text


def merge_files(parts: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> None:
    """Writes the results file of shards of one sweep, in little memory however large they are.

        phasegrid.merge_files(glob.glob("fig4.shard-*.npz"), "fig4.npz")

    Parts may overlap and come from interrupted trainings; a model that no part has is missing in the file too. Raises
    ValueError where a part is of another sweep or contradicts another, or a file cannot be read or written.
    """
    if isinstance(parts, str | bytes) or not isinstance(parts, Sequence) or not parts:
        raise ValueError("parts must be a sequence of paths, one or more")
    target = file_to_write("out", out, [".npz"])
    _core.merge_files([path_text("parts", path) for path in parts], target)
