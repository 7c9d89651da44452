"""What the pictures refuse."""

from __future__ import annotations


from phasegrid.sentences import sentence


class InputError(ValueError):
    """Something a person can mend: one sentence that names the thing and what is allowed."""

    def __init__(self, text: str) -> None:
        super().__init__(sentence(text))
