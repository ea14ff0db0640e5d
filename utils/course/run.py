"""Beginning and finishing a notebook: the seed, the upstream stages, the data, and the rows it writes to the ledger."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import datasets
import pandas as pd
import transformers
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import disk, environment, settings
from utils.course import ledger_fields, model_card, stages
from utils.data import catalogue as catalogues
from utils.data import identity
from utils.data.catalogue import Catalogue
from utils.measure import ledger, ledger_table, machine
from utils.measure.row_groups import Group, Identity, Ranking, Row
from utils.measure.variant import Variant
from utils.rank import models, runtimes
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair, mean_tokens
from utils.rank.setting import Setting

TEACHER_SCORES = Variant("teacher", "onnxruntime").scores_key  # under which notebook 01 keeps the teacher's quality
N_PAIRS_OF_MEAN = 2_000


@dataclass
class Run:
    """What a notebook works with. `folder` holds its stages and the ledger."""

    notebook: str
    profile: settings.Profile
    dataset: str
    seed: int
    folder: Path
    catalogue: Catalogue
    machine: dict
    pending: list[Row] = field(default_factory=list)

    def stage(self, name: str) -> Path:
        """The folder of a stage, there or not."""
        return self.folder / name

    @property
    def setting(self) -> Setting:
        """What every training of this run works with."""
        return Setting(self.catalogue, self.profile, self.seed, self.folder / "logs")

    def rows(self) -> list[Row]:
        """The latest row of everything that this notebook and those before it measured on this data.

        Rows of later notebooks are of another pass through the course, and of stages that may be made anew since.
        """
        return ledger.current(self.folder / "ledger.jsonl", dataset_hash=self.catalogue.hash, until=self.notebook)

    def row_of(self, stage: str, *, runtime: str) -> Row:
        """The latest row of a stage in an engine; ValueError when there is none."""
        of_stage = [row for row in self.rows() if (row.stage, row.identity.runtime) == (stage, runtime)]
        if not of_stage:
            raise ValueError(f"ledger.jsonl: no row of stage '{stage}' in {runtime}; run the notebook that makes it")
        return of_stage[-1]

    def teacher_quality(self) -> Quality:
        """The teacher's quality on every test query, as notebook 01 kept it: what all others are compared with."""
        return self.load_quality(TEACHER_SCORES)

    def save_quality(self, name: str, quality: Quality, *, weights: str = "") -> None:
        """Keep the quality of every test query under a name, for the intervals of later notebooks.

        Args:
            weights: the hash of the weights that scored them, by which `kept_quality` knows them again.
        """
        self.quality_file(name).parent.mkdir(parents=True, exist_ok=True)
        kept = asdict(quality) | {"weights": weights}
        disk.write_whole(self.quality_file(name), json.dumps(kept) + "\n")

    def kept_quality(self, name: str, *, weights: str) -> Quality | None:
        """The quality that these very weights were found to have on test, so that none is judged there twice."""
        if disk.read_object(self.quality_file(name)).get("weights") != weights:
            return None
        return self.load_quality(name)

    def load_quality(self, name: str) -> Quality:
        """The quality of every query as it was kept; ValueError when it was not, or of other queries."""
        try:
            kept = json.loads(self.quality_file(name).read_text(encoding="utf-8"))
            kept.pop("weights", None)
            found = Quality(**kept)
        except (OSError, ValueError, TypeError):
            raise ValueError(
                f"quality/{name}.json cannot be read; run the notebook that makes '{name}' again"
            ) from None
        known = {query_id for pairs in self.catalogue.pairs.values() for query_id in pairs["query_id"]}
        if not found.ndcg10_by_query.keys() <= known:
            raise ValueError(f"quality/{name}.json is of other queries; run the notebook that makes '{name}' again")
        return found

    def quality_file(self, name: str) -> Path:
        """Where the quality of every test query is kept under that name."""
        return self.folder / "quality" / f"{name}.json"

    def keep_rates(self, samples: Mapping[str, Sequence[float]]) -> None:
        """Keep the pairs a second of every turn in which this notebook timed its final rows, by what they are of."""
        self._rates_file.parent.mkdir(parents=True, exist_ok=True)
        disk.write_whole(self._rates_file, json.dumps({name: list(rates) for name, rates in samples.items()}) + "\n")

    def rates(self) -> dict[str, list[float]]:
        """What `keep_rates` kept for this notebook."""
        return json.loads(self._rates_file.read_text(encoding="utf-8"))

    @property
    def _rates_file(self) -> Path:
        return self.folder / "rates" / f"{self.notebook}.json"

    def pairs(self, split: str) -> list[Pair]:
        """The judged pairs of a split as (query, product) texts."""
        return catalogues.texts_of(self.catalogue.pairs[split])

    def mean_tokens(self) -> int:
        """Tokens of a pair by the teacher's tokenizer, the mean over pairs of valid; work is counted at it."""
        _, tokenizer = models.described(self.stage("teacher"))
        some = self.pairs("valid")[:N_PAIRS_OF_MEAN]
        return round(mean_tokens(tokenizer, some, max_tokens=self.profile.max_tokens))

    def save_stage(
        self,
        name: str,
        model: PreTrainedModel,
        *,
        tokenizer: PreTrainedTokenizerBase,
        parent: str | None = None,
        finish: Callable[[Path], object] | None = None,
        **facts: str,
    ) -> Path:
        """Write a model as the stage's folder with the weights of every runtime, whole or not at all.

        Args:
            parent: the stage that it was made from; its rows say so.
            finish: changes the written files before the stage takes its place, such as a quantizer; what it
                returns, if a mapping, are further entries of the manifest, by name.
            facts: further entries of the stage's manifest.
        """
        entries = {"parent": parent} | facts
        with stages.whole(self.stage(name), notebook=self.notebook, facts=entries) as partial:
            models.save(model, tokenizer=tokenizer, folder=partial, max_tokens=self.profile.max_tokens)
            runtimes.export_all(partial)
            if finish is not None:
                found = finish(partial)
                entries |= found if isinstance(found, Mapping) else {}
        return self.stage(name)

    def save_encoder(self, name: str, encoder: SentenceTransformer, **facts: str) -> Path:
        """Write a bi-encoder as the stage's folder, whole or not at all; `facts` are entries of its manifest."""
        with stages.whole(self.stage(name), notebook=self.notebook, facts={"parent": None} | facts) as partial:
            encoder.save(str(partial), create_model_card=False)
        return self.stage(name)

    def add_row(
        self,
        variant: Variant,
        *,
        label: str,
        parent: str | None = None,
        model_hash: str | None = None,
        why_no_hash: str = "",
        **groups: Group | dict,
    ) -> Row:
        """Check a row and keep it for `finish`.

        Args:
            parent: the stage before; None: what the stage's manifest says, if it has one.
            model_hash: of the stored weights; None: of those that the stage's folder has for the variant's engine.
            why_no_hash: why the row is of no stored weights, such as a baseline's.
            groups: size, work, speed, quality, money, and any that this notebook adds.
        """
        if not why_no_hash and model_hash is None:
            model_hash = runtimes.weights_hash(self.stage(variant.stage), runtime=variant.runtime)
        hashed = {"model_hash": model_hash, "why_null": {"model_hash": why_no_hash} if why_no_hash else {}}
        identity = self._identity(variant, label=label, parent=parent, **hashed)
        row = Row(identity=identity, **groups)
        self.pending.append(row)
        return row

    def add_baseline(self, variant: Variant, *, label: str, quality: Ranking) -> Row:
        """Add the row of a ranking that no transformer of ours made."""
        others = ledger_fields.nothing_but_quality(ledger_fields.NOT_OURS, not_timed=ledger_fields.NOT_TIMED)
        return self.add_row(variant, label=label, why_no_hash=ledger_fields.NOT_OURS, quality=quality, **others)

    def add_look(self, stage: str, *, label: str, quality: Quality, threads: int, parent: str | None = None) -> Row:
        """Add the row of a model in PyTorch on its way to a stage, judged on valid; its stage is a name of its own.

        So a gate can hold it to bounds.
        """
        why = ledger_fields.ON_THE_WAY
        groups = ledger_fields.nothing_but_quality(why) | {"quality": ledger_fields.valid_quality(quality)}
        variant = Variant(stage, "pytorch", threads=threads)
        return self.add_row(variant, label=label, parent=parent, why_no_hash=why, **groups)

    def _identity(self, variant: Variant, *, label: str, parent: str | None, **hashed) -> Identity:
        folder = self.stage(variant.stage)
        has_manifest = (folder / stages.MANIFEST).is_file()
        return Identity(
            **vars(variant),
            parent=parent or (stages.manifest(folder).get("parent") if has_manifest else None),
            label=label,
            notebook=self.notebook,
            dataset=self.catalogue.name,
            dataset_hash=self.catalogue.hash,
            profile=self.profile.name,
            seed=self.seed,
            git_revision=ledger.git_revision(),
            time_utc=ledger.now(),
            machine=self.machine,
            versions=ledger.versions(),
            **hashed,
        )

    def finish(self, *, recap: Sequence[str]) -> pd.DataFrame:
        """Write the rows of this notebook to the ledger, print the recap, and give the whole ledger as a table."""
        self.write_rows()
        print("\n".join(f"{number}. {sentence}" for number, sentence in enumerate(recap, start=1)))
        return ledger_table.tabulate(self.rows())

    def write_rows(self) -> None:
        """Write the rows that wait to the ledger, and the model cards of their stages."""
        ledger.append(self.folder / "ledger.jsonl", *self.pending)
        for row in self.pending:
            if (self.stage(row.stage) / stages.MANIFEST).exists():
                made_by = stages.manifest(self.stage(row.stage))["notebook"]
                disk.write_whole(self.stage(row.stage) / "model_card.md", model_card.text(row, made_by=made_by))
        self.pending.clear()

    def introduction(self) -> str:
        """What this run is, in words, for the top of a notebook."""
        m, c = self.machine, self.catalogue
        vectors = ", ".join(m["vector_instructions"]) or "none that matter here"
        return (
            f"Profile {self.profile.name}, seed {self.seed}. Data set {c.name}: {len(c.products):,} products, "
            f"{len(c.queries):,} queries, {sum(map(len, c.pairs.values())):,} judged pairs.\n"
            f"Machine: {m['processor']}, {m['cores']} cores, {m['memory_bytes'] / 2**30:.0f} GiB, vector instructions: "
            f"{vectors}; GPU: {m['gpu'] or 'none'}."
        )


def begin(notebook: str, *, profile: str, dataset: str, seed: int, out: str = "", needs: tuple[str, ...] = ()) -> Run:
    """Seed everything, load the data, and find the stages this notebook starts from.

    Raises:
        FileNotFoundError: a stage in `needs` is missing; the message holds the command that makes it.
        ValueError: a stage in `needs` is damaged or of another version, or the data cannot be used.
    """
    quiet()
    environment.seed_everything(seed)
    folder = identity.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=out)
    for name in needs:
        command = settings.run_command(profile=profile, dataset=dataset, seed=seed, out=out)
        stages.require(folder / name, command=command)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = settings.profile(profile)
    return Run(notebook, sizes, dataset, seed, folder, catalogues.load(dataset, profile=sizes), machine.describe())


def quiet() -> None:
    """Hide progress bars and remarks of libraries that a reader cannot act on; show the texts of tables as they are."""
    pd.set_option("display.max_colwidth", None)
    pd.set_option("display.html.use_mathjax", False)  # a price is no formula
    datasets.disable_progress_bars()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message="mtime may not be reliable")  # checkpoints made within a second
