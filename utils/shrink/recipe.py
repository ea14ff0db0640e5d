"""A recipe: the chain of cuts that turns a teacher into the ranker that is shipped, as data.

The notebooks build one out of their parameters, step by step, and keep it in the run's folder. What applies a recipe is
in `steps`; what is written to disk, and how a result is judged, is not decided here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from transformers import PretrainedConfig

from utils import disk, settings
from utils.rank import setting
from utils.shrink.distil import second_start
from utils.shrink.distil.distil_losses import loss_named
from utils.shrink.quantize import int8_onnx, int8_openvino

RECIPES = settings.DATA / "recipes"
FILE = "recipe.json"  # of a run's folder: what its notebooks have decided so far
OF_NOTEBOOKS = "notebooks"  # the name of that recipe


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(_Strict):
    """What stays of an encoder: layers, heads of each layer, neurons of each feed-forward part."""

    n_layers: int = Field(ge=1)
    n_heads: int = Field(ge=1)
    d_ff: int = Field(ge=1)

    @classmethod
    def of(cls, config: PretrainedConfig) -> Shape:
        """The shape that a configuration describes, whose layers all have the same number of heads."""
        n_heads = config.num_attention_heads - len(config.pruned_heads.get(0, []))
        return cls(n_layers=config.num_hidden_layers, n_heads=n_heads, d_ff=config.intermediate_size)


PARAPHRASE = Shape(n_layers=second_start.N_LAYERS, n_heads=12, d_ff=1_536)


class Recipe(_Strict):
    """One chain, from the teacher to the quantized student. A field left None is the profile's.

    Attributes:
        pruned: the shape of the first cut, which is recovered on labels; of its layers the most missed ones stay.
        recovery_rate: the learning rate of that recovery.
        start: whose layers the student begins with: those of the pruned teacher, or of paraphrase-MiniLM-L3, for which
            an optional package is needed (`second_start`).
        student: the shape of what is distilled; it fits into what it starts from.
        layers: which layers of that the student keeps, as in `students.kept_layers`.
        loss: a name in `distil_losses.LOSSES`.
        label_weight: α of the mixture α · labels + (1 − α) · scores in the distillation.
        n_unlabelled_pairs, n_distil_pairs: as in `settings.Profile`.
        learning_rate: of the distillation.
        n_label_pairs: as in `settings.Profile`; 0 leaves the fine-tune on labels out.
        label_learning_rate: of that fine-tune.
        precision: of what is shipped, for OpenVINO and for ONNX Runtime.
        for_openvino: how its int8 is made, a name in `int8_openvino.WAYS`.
        for_onnx: how the static int8 of ONNX Runtime finds its ranges, a name in `int8_onnx.METHODS`.
    """

    name: str = Field(default="default", pattern="^[a-z0-9_]+$")
    pruned: Shape = Shape(n_layers=6, n_heads=6, d_ff=384)
    recovery_rate: float = Field(default=setting.RECOVERY_RATE, gt=0)
    start: Literal["teacher", "paraphrase"] = "teacher"
    student: Shape = Shape(n_layers=3, n_heads=3, d_ff=192)
    layers: Literal["first", "spread"] = "first"
    loss: str = "list_net"
    label_weight: float = Field(default=0.3, ge=0, le=1)
    n_unlabelled_pairs: int | None = Field(default=None, ge=1)
    n_distil_pairs: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=setting.STUDENT_RATE, gt=0)
    n_label_pairs: int | None = Field(default=None, ge=0)
    label_learning_rate: float = Field(default=setting.LAST_RATE, gt=0)
    precision: Literal["fp32", "int8"] = "int8"
    for_openvino: str = "min-max"
    for_onnx: str = "min-max"

    @field_validator("loss")
    @classmethod
    def _loss_is_known(cls, name: str) -> str:
        loss_named(name)
        return name

    @field_validator("for_openvino", "for_onnx")
    @classmethod
    def _way_is_known(cls, name: str, info: ValidationInfo) -> str:
        known = int8_openvino.WAYS if info.field_name == "for_openvino" else int8_onnx.METHODS
        if name not in known:
            raise ValueError(f"'{name}' is not one of {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _student_fits_into_its_start(self) -> Recipe:
        whole, what = (self.pruned, "pruned") if self.start == "teacher" else (PARAPHRASE, "paraphrase-MiniLM-L3")
        for name in Shape.model_fields:
            small, large = getattr(self.student, name), getattr(whole, name)
            if small > large:
                raise ValueError(f"student.{name} is {small}, more than the {large} of {what}, from which it starts")
        return self

    def revised(self, **decisions: object) -> Recipe:
        """This recipe with other decisions, checked as a new one is."""
        return Recipe.model_validate(self.model_dump() | decisions)


def begin(pruned: Shape, *, recovery_rate: float) -> Recipe:
    """The recipe of a run's notebooks as far as the first cut decides it.

    The rest is the default's; of a default student that is larger than the cut, as much as fits into it.
    """
    student = Recipe().student
    fits = {name: min(getattr(student, name), getattr(pruned, name)) for name in Shape.model_fields}
    return Recipe(name=OF_NOTEBOOKS, pruned=pruned, recovery_rate=recovery_rate, student=Shape.model_validate(fits))


def keep(recipe: Recipe, *, folder: Path) -> Path:
    """Keep the recipe in a run's folder, whole or not at all; it replaces the one that was there."""
    return disk.write_whole(folder / FILE, recipe.model_dump_json(indent=1) + "\n")


def kept(folder: Path) -> Recipe:
    """The recipe that the notebooks kept in a run's folder so far.

    Raises:
        FileNotFoundError: there is none. ValueError: it cannot be used (names the problem).
    """
    if not (folder / FILE).is_file():
        raise FileNotFoundError(f"{folder / FILE} is missing; run notebook 03 again")
    return read(folder / FILE)


def named(name: str) -> Recipe:
    """A recipe by its name (the default, or that of data/recipes/<name>.json), or by the path of a .json file.

    Raises:
        ValueError: there is no such recipe (names the known ones), or its file holds none (names the problem).
    """
    if name.endswith(".json"):
        return read(Path(name))
    files = {path.stem: path for path in sorted(RECIPES.glob("*.json"))}
    if name == Recipe().name:
        return Recipe()
    if name not in files:
        raise ValueError(f"recipe '{name}' is not one of {', '.join((Recipe().name, *files))}, nor a .json file")
    recipe = read(files[name])
    if recipe.name != name:
        raise ValueError(f"{files[name]}: its name is '{recipe.name}'; call it '{name}', as the file")
    return recipe


def read(path: Path) -> Recipe:
    """The recipe in a file; ValueError, naming the problem, when the file holds none or is not there."""
    try:
        return Recipe.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file; give the path of a recipe") from None
    except ValidationError as error:
        raise ValueError(f"{path}: {disk.first_error(error)}") from None
