"""What results are called in the page: the shape of their models, and where that is not enough, what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_LETTERS = 80  # of the page's heading
# Settings that say where and when a sweep was trained, or that the shape and the axes tell already.
UNTELLING = ("phasegrid", "device", "complete", "name", "model.", "axes.")

Header = Mapping[str, Any]


def titles_of(headers: Sequence[Header]) -> list[str]:
    """A title for every results, by its header: "n = 3, m = 2, E = 2, top 1".

    Results of one shape are told apart by the settings that differ between them, at most two; where none does, or
    where those are not enough, by name.
    """
    shapes = [shape_of(header) for header in headers]
    titles = []
    for header, shape in zip(headers, shapes, strict=True):
        like = [other for other, its in zip(headers, shapes, strict=True) if its == shape]
        titles.append(", ".join([shape, *differences(header, like)]) if len(like) > 1 else shape)
    return [
        f"{title} ({header['name']})" if titles.count(title) > 1 else title
        for header, title in zip(headers, titles, strict=True)
    ]


def heading(titles: Sequence[str]) -> str:
    """The page's heading: all titles, or as many words as fit."""
    whole = "; ".join(titles)
    return whole if len(whole) <= MOST_LETTERS else f"{titles[0]}; and {len(titles) - 1} more"


def shape_of(header: Header) -> str:
    """ "n = 3, m = 2, E = 1 to 4, top 1": of shapes that an axis changes, from the least to the most."""
    extents, model = header["extents"], header["config"].get("model")
    axes = {dimension["name"]: dimension["values"] for dimension in header["dimensions"]}
    top = model.get("top_k") if isinstance(model, Mapping) else None
    m, experts = among(axes.get("n_hidden"), extents["m"]), among(axes.get("n_experts"), extents["E"])
    chosen = among(axes.get("top_k"), top) if isinstance(top, int) or "top_k" in axes else None
    routed = "dense" if experts == "1" else f"E = {experts}" + (f", top {chosen}" if chosen else "")
    return f"n = {extents['n']}, m = {m}, {routed}"


def among(values: Sequence[float] | None, alone: object) -> str:
    """What the values of an axis go from and to; where there is no such axis, what all have."""
    if values is None:
        return str(alone)
    least, most = min(values), max(values)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def differences(header: Header, like: Sequence[Header]) -> list[str]:
    """The settings of one results that not all of `like` share, at most two: "load balance 0.01"."""
    mine, every = dict(settings(header["config"])), [dict(settings(other["config"])) for other in like]
    differing = [key for key in mine if any(other.get(key) != mine[key] for other in every)]
    return [f"{key.rsplit('.', 1)[-1].replace('_', ' ')} {mine[key]}" for key in differing[:2]]


def settings(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """("train.load_balance", "0.01") and so on, of the settings that are one number or word, alone or in a table."""
    for key, value in config.items():
        path = f"{prefix}{key}"
        if path in UNTELLING or f"{path}." in UNTELLING:
            continue
        if isinstance(value, Mapping) and not prefix:  # tables lie no deeper, whatever a file holds
            yield from settings(value, f"{path}.")
        elif isinstance(value, int | float | str):
            yield path, f"{value:g}" if isinstance(value, float) else str(value)[:40]
