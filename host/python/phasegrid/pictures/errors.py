"""What the pictures refuse."""

from __future__ import annotations


class InputError(ValueError):
    """Something a person can mend: one sentence that names the thing and what is allowed."""
