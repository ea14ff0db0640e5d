"""What a row of the ledger consists of: an identity and groups of figures, each of which says why one is missing.

A later notebook may add a group of its own (a load, a hit rate, watts): it is checked as the others are, kept, and
changes nothing here. A forgotten field, a NaN, or a null without a reason is refused when the row is made.
"""

from __future__ import annotations

import math
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from utils.measure.variant import Variant

Machine = dict[str, str | bool | int | float | list[str] | None]


class Strict(BaseModel):
    """Refuses fields that it does not know, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())


class Group(Strict):
    """Figures that belong together. Each is given, or null with its reason.

    Attributes:
        why_null: the reason of each null by its name; or one sentence, where all of them are null.
    """

    why_null: str | dict[str, str] = {}

    @classmethod
    def absent(cls, why: str) -> Self:
        """The group of a row that has none of its figures, for this reason."""
        return cls(why_null=why)

    def figures(self) -> dict[str, Any]:
        """The fields by name, without the reasons."""
        return {name: value for name, value in self if name != "why_null"}

    def reason(self, name: str) -> str:
        """Why a field is null; "" where it is not."""
        return self.why_null if isinstance(self.why_null, str) else self.why_null.get(name, "")

    def _may_be_null(self) -> set[str]:
        return set()

    @model_validator(mode="after")
    def _nulls_have_reasons(self) -> Self:
        names, reasons = set(self.figures()), self.why_null
        empty = {name for name, value in self.figures().items() if value is None}
        if isinstance(reasons, str):
            if not reasons.strip() or empty != names:
                raise ValueError("one reason for a whole group must be a sentence, and all of the group null")
            return self
        given = {name for name, reason in reasons.items() if reason.strip()}
        wrong = sorted(((empty - self._may_be_null()) ^ set(reasons)) | (set(reasons) - given))
        if wrong:
            raise ValueError(f"{wrong[0]} is null without a reason in why_null, or has a reason and is not null")
        return self


class Latency(Strict):
    """Milliseconds for one query with all its candidates, over `n` timed queries."""

    p50: float
    p95: float
    p99: float
    n: int


class Delta(Strict):
    """A difference of NDCG@10 to the teacher with the ends of its 95% interval."""

    mean: float
    low: float
    high: float

    def signed(self) -> str:
        """As `Interval.signed`."""
        from utils.rank.metrics import Interval

        return Interval(self.mean, self.low, self.high).signed()


class Identity(Group):
    """Which model, run how, on what data, by whom. `parent` is null for what was made from nothing."""

    stage: str
    parent: str | None
    label: str
    notebook: str
    model_hash: str | None
    runtime: str
    precision: str
    device: str
    threads: int
    dataset: str
    dataset_hash: str
    profile: str
    seed: int
    git_revision: str
    time_utc: str
    machine: Machine
    versions: dict[str, str]

    @property
    def variant(self) -> Variant:
        """The way of running that the row is of."""
        return Variant(self.stage, self.runtime, self.precision, self.device, self.threads)

    def _may_be_null(self) -> set[str]:
        return {"parent"}


class Size(Group):
    """Numbers of weights, bytes to ship, and the memory that scoring takes beyond the library's own."""

    n_params: int | None = None
    n_params_nonzero: int | None = None
    n_params_embedding: int | None = None
    n_params_encoder: int | None = None
    disk_bytes: int | None = None
    peak_rss_bytes: int | None = None


class Work(Group):
    """Multiply-accumulates of one pair at the data's own mean length."""

    macs_per_pair: int | None = None


class Speed(Group):
    """Time of one query with its candidates, and pairs a second at the best batch size."""

    n_candidates: int | None = None
    batch_size: int | None = None
    latency_ms: Latency | None = None
    pairs_per_s: float | None = None


class Ranking(Group):
    """How well it ranks the queries of a split; the difference is to the teacher.

    Attributes:
        random_ndcg10: what a random order of the same products is expected to get.
        end_to_end_is_lower_bound: whether a product that nobody judged counts as worthless end to end.
    """

    split: str | None = None
    n_queries: int | None = None
    ndcg10: float | None = None
    random_ndcg10: float | None = None
    mrr10: float | None = None
    ndcg10_delta: Delta | None = None
    ndcg10_end_to_end: float | None = None
    end_to_end_is_lower_bound: bool | None = None
    recall: float | None = None

    @property
    def share_of_way(self) -> float | None:
        """How far NDCG@10 is on the way from a random order, 0, to a perfect one, 1; None where it is not known."""
        if self.ndcg10 is None or self.random_ndcg10 is None or self.random_ndcg10 == 1:
            return None
        return (self.ndcg10 - self.random_ndcg10) / (1 - self.random_ndcg10)


class Money(Group):
    """Dollars on an instance of data/prices.csv, by the pairs a second that all of this machine's cores do together."""

    instance: str | None = None
    cores: int | None = None
    pairs_per_s: float | None = None
    usd_per_million_queries: float | None = None


class Added(Group):
    """A group that a later notebook adds, of whatever fields; a number in it must be finite."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    @model_validator(mode="after")
    def _numbers_are_finite(self) -> Self:
        if not self.figures():
            raise ValueError("a group needs at least one field")
        if not all(map(_is_plain, self.figures().values())):
            raise ValueError("a field of an added group is neither plain JSON nor a finite number")
        return self


class Row(Strict):
    """One line of the ledger. Fields beyond the six groups are groups of later notebooks."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())
    __pydantic_extra__: dict[str, Added]

    identity: Identity
    size: Size
    work: Work
    speed: Speed
    quality: Ranking
    money: Money

    @property
    def label(self) -> str:
        """Its name in tables and pictures."""
        return self.identity.label

    @property
    def stage(self) -> str:
        """The model folder, or baseline, that it is of."""
        return self.identity.stage

    def groups(self) -> dict[str, Group]:
        """All groups by name, the identity first and those of later notebooks last."""
        return dict(self)

    def changed(self, **figures: dict[str, Any]) -> Row:
        """The row with other figures in some groups, by the group's name; checked as any row."""
        groups = {name: group.model_dump() for name, group in self.groups().items()}
        return Row(**groups | {name: groups[name] | new for name, new in figures.items()})

    def value(self, place: str) -> Any:
        """A figure by its place, such as "quality.ndcg10"; None where it is null or the row has no such group.

        Figures that follow from others, such as "quality.share_of_way", are had in the same way.

        Raises:
            KeyError: the group has no figure of that name.
        """
        group, _, name = place.partition(".")
        if (found := self.groups().get(group)) is None:
            return None
        if isinstance(getattr(type(found), name, None), property):
            return getattr(found, name)
        return found.figures()[name]


def group_of(name: str) -> str:
    """The group that holds a field of the six; KeyError where none does."""
    holders = {field: group for group, of in Row.model_fields.items() for field in of.annotation.model_fields}
    return holders[name]


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(one) for name, one in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bool | int)
