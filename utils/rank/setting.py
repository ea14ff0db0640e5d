"""What every training of a run works with, and how much of it: the setting and the budget.

The loop itself is in `training`; a `Profile` has the sizes from which the standard budgets are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from utils.data.catalogue import Catalogue
from utils.settings import Profile

LIST_SIZE = 8  # pairs of one query that are learned from together
TEACHER_RATE = 2e-4
LABEL_RATES = (5e-5, 2e-4)  # of the labels, to choose from; the gentlest first
RECOVERY_RATE = 1e-4  # of the short fine-tune after a cut
STUDENT_RATE = 5e-4  # of a distillation
LAST_RATE = 1e-4  # of the labels that end it: few, and met before
DROPOUT = 0.1  # of a training that meets the same pairs again and again
ROUNDING_RATE = 5e-5  # a tenth of what the student learned with: it only has to settle on its grids


@dataclass(frozen=True)
class Setting:
    """What every training of a run works with.

    Attributes:
        log_folder: TensorBoard's curves go there.
    """

    catalogue: Catalogue
    profile: Profile
    seed: int
    log_folder: Path

    @property
    def train(self) -> Dataset:
        """The judged pairs to learn from."""
        return self.catalogue.pairs["train"]

    @property
    def valid(self) -> Dataset:
        """The judged pairs to choose by."""
        return self.catalogue.pairs["valid"]

    @property
    def top_gain(self) -> int:
        """The gain of the best label."""
        return self.catalogue.top_gain

    @property
    def max_tokens(self) -> int:
        """A pair is cut to this many tokens."""
        return self.profile.max_tokens


@dataclass(frozen=True)
class Budget:
    """How long one training lasts.

    Attributes:
        n_pairs: pairs that are seen, all epochs together.
        batch_size: pairs of a step, LIST_SIZE at least.
        n_evaluations: how often it looks at `valid`, the end included.
        dropout: share of what layers and attention give that is dropped at each step; of use where the same pairs come
            again and again.

    Raises:
        ValueError: a step of less than a list, or a number that is not above 0.
    """

    n_pairs: int
    batch_size: int
    n_evaluations: int
    learning_rate: float
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.batch_size < LIST_SIZE:
            raise ValueError(f"batch_size is {self.batch_size}; a list alone has up to {LIST_SIZE} pairs")
        for name in ("n_pairs", "n_evaluations", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give a share from 0 to less than 1")

    @property
    def n_steps(self) -> int:
        """Steps, one at least."""
        return max(1, self.n_pairs // self.batch_size)

    @property
    def n_lists(self) -> int:
        """Lists of all steps."""
        return self.n_steps * self.lists_per_step

    @property
    def lists_per_step(self) -> int:
        """Lists that make a step."""
        return self.batch_size // LIST_SIZE

    @classmethod
    def of_warm_up(cls, profile: Profile, *, learning_rate: float = TEACHER_RATE) -> Budget:
        """For the pairs without labels from which a teacher first learns to read two texts together."""
        return cls(profile.n_warm_pairs, profile.batch_size, 2, learning_rate)

    @classmethod
    def of_teacher(cls, profile: Profile, *, n_labelled: int, learning_rate: float = TEACHER_RATE) -> Budget:
        """For the `n_labelled` pairs that make the teacher; where they come more than once, there is dropout."""
        n_pairs = min(profile.n_train_pairs, profile.n_passes * n_labelled)
        dropout = DROPOUT if n_pairs > n_labelled else 0.0
        return cls(n_pairs, profile.batch_size, profile.n_evaluations, learning_rate, dropout)

    @classmethod
    def to_choose_from(cls, profile: Profile, *, n_labelled: int) -> dict[str, Budget]:
        """The trainings on labels to choose from, by a name that says the rate."""
        return {
            f"rate {rate:g}": cls.of_teacher(profile, n_labelled=n_labelled, learning_rate=rate) for rate in LABEL_RATES
        }

    @classmethod
    def of_recovery(cls, profile: Profile, *, learning_rate: float = RECOVERY_RATE) -> Budget:
        """For the short fine-tune after something was cut off."""
        return cls(profile.n_recovery_pairs, profile.batch_size, profile.n_evaluations, learning_rate)

    @classmethod
    def of_distillation(
        cls, profile: Profile, *, n_pairs: int | None = None, learning_rate: float = STUDENT_RATE
    ) -> Budget:
        """For a student of a teacher's scores; it is small, so a step has twice the teacher's pairs."""
        n_pairs = n_pairs or profile.n_distil_pairs
        return cls(n_pairs, 2 * profile.batch_size, profile.n_evaluations, learning_rate)

    @classmethod
    def of_labels(cls, profile: Profile, *, n_pairs: int | None = None, learning_rate: float = LAST_RATE) -> Budget:
        """For the fine-tune on labels that ends a distillation, with steps as large, and dropout."""
        n_pairs = n_pairs or profile.n_label_pairs
        return cls(n_pairs, 2 * profile.batch_size, profile.n_evaluations, learning_rate, DROPOUT)

    @classmethod
    def of_rounding(cls, profile: Profile, *, learning_rate: float = ROUNDING_RATE) -> Budget:
        """For quantization-aware training of a student."""
        return cls(profile.n_recovery_pairs, 2 * profile.batch_size, profile.n_evaluations, learning_rate)
