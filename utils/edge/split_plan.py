"""Where the query and the product of a split model meet, as a plan; the model itself is in `split_model`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Meeting = Literal["layers", "tokens", "vectors"]


@dataclass(frozen=True)
class Split:
    """Where query and product meet.

    Attributes:
        n_apart: the lowest layers, which see the two apart. "layers": the others join them. "tokens" and "vectors":
            there are no others, what lies above is left out.
        meeting: "layers", the upper layers read both; "tokens", each token of the query finds its best token of the
            product; "vectors", one vector each.
        d_stored: numbers of each stored vector; None: as many as the model is wide, without a projection.
        n_query, n_product: tokens of each text, special ones included, more are cut off. Product tokens stand at the
            positions from n_query on, so that their states do not depend on how long the query is.

    Raises:
        ValueError: an unknown meeting, or a number below what there must be.
    """

    n_apart: int
    meeting: Meeting = "tokens"
    d_stored: int | None = None
    n_query: int = 20
    n_product: int = 28

    def __post_init__(self) -> None:
        if self.meeting not in get_args(Meeting):
            raise ValueError(f"meeting '{self.meeting}' is not one of {', '.join(get_args(Meeting))}")
        least = {"n_apart": 0, "n_query": 3, "n_product": 2} | ({"d_stored": 1} if self.d_stored is not None else {})
        for name, at_least in least.items():
            if getattr(self, name) < at_least:
                raise ValueError(f"Split: {name} is {getattr(self, name)}; give {at_least} or more")

    @property
    def label(self) -> str:
        """In words, as tables and pictures say it."""
        width = f", {self.d_stored} numbers" if self.d_stored else ""
        if self.meeting == "layers" and not self.n_apart:
            return f"together from the start{width}"
        after = f"after layer {self.n_apart}"
        what = {"layers": after, "tokens": f"token by token {after}", "vectors": f"two vectors {after}"}
        return f"{what[self.meeting]}{width}"
