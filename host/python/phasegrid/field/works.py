"""The works of the gallery, in its order: a sweep file experiments/field/NAME.toml and a module here each."""

from __future__ import annotations

from phasegrid.field import absolute, dynamics, geometry, memorise, pairs, phases, scaling, trainability
from phasegrid.field.base import Work

WORKS: tuple[Work, ...] = tuple(
    module.WORK for module in (phases, geometry, pairs, dynamics, absolute, memorise, scaling, trainability)
)


def work_of(name: str) -> Work:
    """Raises KeyError where there is none of that name."""
    return {work.name: work for work in WORKS}[name]
