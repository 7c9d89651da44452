"""The paper's statements on phase changes in mixtures, and two of ours, each tried on every mixture of Figure 4 with
both ways to take the load balance. A number above 0 (side 1) or below 0 (side -1) is what a statement claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from claims import OURS, PAPER, Claim
from estimates import Array, over_seeds
from figure4 import DENSE

OVER = ("all", "nonzero")
COMPARED = "for comparison"
MIXTURES = tuple(DENSE)
Numbers = Mapping[str, Array]  # of NUMBERS, (seeds,)
# The number of a mixture, the dense model it is held against, and the same with one expert fewer.
Number = Callable[[Numbers, Numbers, Numbers], Array]


@dataclass(frozen=True)
class Statement:
    key: str
    text: str
    source: str
    number: Number
    side: int
    shapes: tuple[str, ...] = MIXTURES
    claimed_for: tuple[str, ...] = OVER  # the balances; with others it is there for comparison


def against_dense(name: str) -> Number:
    return lambda mixture, dense, _: mixture[name] - dense[name]


def against_fewer(name: str) -> Number:
    return lambda mixture, _, fewer: mixture[name] - fewer[name]


LIVING = "under 1 % of the experts are starved (share of starved experts, less 0.01)"
B_IGNORES = "for n = 3, m = 1 they do not (the same share, less 0.05 for what would not be much)"
STATEMENTS = (
    Statement("living", LIVING, OURS, lambda mixture, *_: mixture["starved"] - 0.01, -1,
              claimed_for=("nonzero",)),
    Statement("concentration", "norms change less abruptly than in dense models: less concentrated", PAPER,
              against_dense("concentration"), -1),
    Statement("jump", "and more continuously: their largest changes are smaller", PAPER, against_dense("jump"), -1),
    Statement("concentration_largest", "the same of the largest norm of any expert: less concentrated", PAPER,
              against_dense("concentration_largest"), -1),
    Statement("jump_largest", "the same of the largest norm of any expert: smaller largest changes", PAPER,
              against_dense("jump_largest"), -1),
    Statement("concentration_score", "the same of superposition scores: less concentrated", PAPER,
              against_dense("concentration_score"), -1),
    Statement("jump_score", "the same of superposition scores: smaller largest changes", PAPER,
              against_dense("jump_score"), -1),
    Statement("score", "experts have lower superposition scores than dense models", PAPER, against_dense("score"), -1),
    Statement("specialised", "one expert specialises in the most important feature: it has it alone in more cells",
              PAPER, against_dense("specialised"), 1),
    Statement("preserved", "for n = 2, m = 1 mixtures keep the last feature in more cells of low sparsity", PAPER,
              against_dense("kept_when_dense"), 1, ("212",)),
    Statement("not_preserved", B_IGNORES, PAPER,
              lambda mixture, dense, _: mixture["kept_when_dense"] - dense["kept_when_dense"] - 0.05, -1,
              ("312", "313")),
    Statement("window", "between sparsities of 0.48 and 0.7 classes are mixed more than elsewhere", PAPER,
              lambda mixture, *_: mixture["mixed_inside"] - mixture["mixed_outside"], 1, ("312", "322")),
    Statement("loss", "one more expert lowers the mean loss", PAPER, against_fewer("loss"), -1),
    Statement("variance", "and raises its variance between neighbouring cells", PAPER,
              against_fewer("local_deviation"), 1),
    Statement("first", "at high sparsity the first expert has the last feature less than the others (norms)", OURS,
              lambda mixture, *_: mixture["first_less"], 1, claimed_for=("all",)),
)  # fmt: skip


def numbers_of(statement: Statement, shape: str, over: str, diagrams: Mapping[str, Numbers]) -> Array:
    """(seeds,) of one mixture; diagrams by "211" or "212_all"."""
    dense = diagrams[DENSE[shape]]
    fewer = dense if shape[2] == "2" else diagrams[f"{shape[:2]}{int(shape[2]) - 1}_{over}"]
    return statement.number(diagrams[f"{shape}_{over}"], dense, fewer)


def figure4_claims(diagrams: Mapping[str, Numbers]) -> list[Claim]:
    """Every statement, for each mixture and for the mean over mixtures ("all shapes"), for both balances."""
    found = []
    for statement in STATEMENTS:
        for over in OVER:
            each = {shape: numbers_of(statement, shape, over, diagrams) for shape in statement.shapes}
            each["shapes"] = np.mean(list(each.values()), axis=0)
            for shape, numbers in each.items():
                where = f"{shape if shape != 'shapes' else 'mean over mixtures'}, balance over {over} inputs"
                key = f"fig4_{statement.key}_{shape}_{over}"
                source = statement.source if over in statement.claimed_for else COMPARED
                found.append(Claim(key, statement.text, source, where, over_seeds(numbers), statement.side))
    return found


def survival(statement: Statement, verdicts: Mapping[str, str]) -> dict[str, Any]:
    """In how many mixtures a statement holds with either balance, and in a word whether it survives."""
    counts = {
        over: sum(verdicts[f"fig4_{statement.key}_{shape}_{over}"] == "holds" for shape in statement.shapes)
        for over in OVER
    }
    of = len(statement.shapes)
    if counts["nonzero"] == of:
        word = "holds" if counts["all"] == of else "holds only now"
    elif counts["all"] == 0 and counts["nonzero"] == 0:
        word = "in no mixture, as before"
    elif counts["nonzero"] == 0:
        word = "in no mixture any more"
    else:
        word = "in some mixtures"
    return {"key": statement.key, "text": statement.text, "source": statement.source, "mixtures": of, "word": word} | {
        f"holds_{over}": count for over, count in counts.items()
    }
