"""A variant: one way of running one stage. Its key is the identity that ledger, timing, memory and records share.

Whoever reads rows meets variants, so the engines, and PyTorch with them, are imported only when one is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from utils.rank.runtimes import SizedRanker


@dataclass(frozen=True)
class Variant:
    """One way of running one stage.

    Attributes:
        stage: the name of a model folder in a run's folder, or of a baseline.
        runtime: an engine of `utils.rank.runtimes`; of a baseline the name of what computes it.
        precision: of the stored weights; `require_precision` holds the files to it.
        device: such as "cpu" or "cuda".
        threads: that one query may use.
    """

    stage: str
    runtime: str
    precision: str = "fp32"
    device: str = "cpu"
    threads: int = 1

    @property
    def key(self) -> str:
        """The identity of a row and of its timings."""
        return f"{self.scores_key}-{self.device}-{self.threads}"

    @property
    def scores_key(self) -> str:
        """The identity of its scores, which neither device nor threads decide."""
        return f"{self.stage}-{self.runtime}-{self.precision}"

    def open(
        self, run_folder: Path, *, max_tokens: int, batch_size: int = 32, threads: int | None = None
    ) -> SizedRanker:
        """The stage's ranker, on as many threads as the variant says unless `threads` does.

        Raises:
            ValueError, FileNotFoundError: as `runtimes.open_ranker`.
        """
        from utils.rank import runtimes

        limits = {"max_tokens": max_tokens, "batch_size": batch_size, "device": self.device}
        threads = threads or self.threads
        return runtimes.open_ranker(run_folder / self.stage, runtime=self.runtime, threads=threads, **limits)

    def require_precision(self, run_folder: Path) -> None:
        """Hold the stored weights to the precision that the variant claims.

        Raises:
            ValueError: they are stored in another one.
        """
        from utils.rank import runtimes

        stored = runtimes.named(self.runtime).precision(run_folder / self.stage)
        if stored != self.precision:
            raise ValueError(
                f"stage '{self.stage}' in {self.runtime}: its weights are stored in {stored}, not in {self.precision}; "
                f"say precision='{stored}', or make the stage again"
            )
