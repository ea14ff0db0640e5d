"""A recipe is checked when it is written down, and its stages are made once, in order, each from the one before."""

from types import SimpleNamespace

import pytest
from made import replace_once
from pydantic import ValidationError

from utils.course import pipeline, stages
from utils.shrink import recipe as recipes
from utils.shrink.recipe import Recipe, Shape


def test_a_student_larger_than_what_it_starts_from_is_refused_by_name():
    with pytest.raises(ValidationError, match=r"student\.d_ff is 512, more than the 256 of pruned"):
        Recipe(pruned=Shape(n_layers=6, n_heads=4, d_ff=256), student=Shape(n_layers=2, n_heads=4, d_ff=512))


@pytest.mark.parametrize(
    "wrong",
    [
        {"precision": "int3"},
        {"name": "my recipe"},
        {"depth": 3},
        {"learning_rate": 0},
        {"label_weight": 1.5},
        {"loss": "mse"},
        {"n_distil_pairs": 0},
        {"n_label_pairs": -1},
        {"label_learning_rate": 0},
        {"recovery_rate": 0},
        {"for_openvino": "histogram"},
        {"for_onnx": "min max"},
    ],
)
def test_what_no_recipe_can_say_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Recipe(**wrong)


def test_a_recipe_is_read_from_its_file_and_an_unknown_one_is_refused_with_the_known_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "RECIPES", tmp_path)
    written = Recipe(name="deep", student=Shape(n_layers=5, n_heads=6, d_ff=320))
    (tmp_path / "deep.json").write_text(written.model_dump_json())
    assert recipes.named("deep") == written and recipes.named("default") == Recipe()
    with pytest.raises(ValueError, match=r"'wide' is not one of default, deep, nor a \.json file"):
        recipes.named("wide")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "deep", "student": {"n_layers": 0, "n_heads": 1, "d_ff": 1}}', r"deep\.json: student\.n_layers: "),
        ("{", r"deep\.json: file: Invalid JSON"),
        ('{"name": "wide"}', r"deep\.json: its name is 'wide'; call it 'deep'"),
    ],
)
def test_a_file_that_holds_no_recipe_of_its_name_is_refused_by_name(text, said, tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "RECIPES", tmp_path)
    (tmp_path / "deep.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        recipes.named("deep")


def test_a_revised_recipe_is_checked_like_a_new_one():
    assert Recipe().revised(layers="spread") == Recipe(layers="spread")
    with pytest.raises(ValidationError, match=r"student\.n_layers is 7, more than the 6 of pruned"):
        Recipe().revised(student=Shape(n_layers=7, n_heads=3, d_ff=192))


def test_a_recipe_that_begins_with_a_small_cut_has_a_student_that_fits_into_it():
    begun = recipes.begin(Shape(n_layers=2, n_heads=8, d_ff=100), recovery_rate=3e-4)
    assert begun.student == Shape(n_layers=2, n_heads=Recipe().student.n_heads, d_ff=100)
    assert (begun.recovery_rate, begun.loss) == (3e-4, Recipe().loss)


def test_what_the_notebooks_kept_comes_back_and_can_be_named_by_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"recipe\.json is missing; run notebook 03 again"):
        recipes.kept(tmp_path)
    decided = recipes.begin(Shape(n_layers=4, n_heads=6, d_ff=384), recovery_rate=1e-4).revised(loss="margin_mse")
    place = recipes.keep(decided, folder=tmp_path)
    assert recipes.kept(tmp_path) == recipes.named(str(place)) == decided
    with pytest.raises(ValueError, match="there is no such file"):
        recipes.named(str(tmp_path / "other.json"))
    place.write_text('{"loss": "mse"}')
    with pytest.raises(ValueError, match=r"recipe\.json: loss: loss 'mse' is not one of logit_mse"):
        recipes.kept(tmp_path)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder with a teacher, whose stages are made by writing a line; `made` holds their names."""
    made = []

    def make(run, recipe, *, name, made_of):
        made.append(name)
        with stages.whole(tmp_path / name, notebook="results", facts={"made_of": made_of}) as partial:
            (partial / "config.json").write_text(f"{name} {made_of}")

    monkeypatch.setattr(pipeline, "MAKERS", dict.fromkeys(pipeline.STAGES, make))
    data = SimpleNamespace(hash="h")
    started = SimpleNamespace(stage=lambda name: tmp_path / name, seed=0, made=made, catalogue=data)
    make(started, Recipe(), name="teacher", made_of="")
    made.clear()
    return started


def apply(run, recipe=None, *, until="quantized"):
    run.made.clear()
    pipeline.make(run, recipe or Recipe(), until=until, echo=lambda line: None)
    return list(run.made)


def test_stages_are_made_once_and_in_order(run):
    assert apply(run) == ["pruned", "student", "quantized"]
    assert apply(run) == []


def test_a_control_is_made_from_its_own_parent_and_shared_by_recipes_that_do_not_differ_there(run):
    assert apply(run, until="teacher_int8") == ["teacher_int8"]
    assert apply(run, until="labels_alone") == ["pruned", "labels_alone"]
    assert apply(run) == ["student", "quantized"]
    same_student = Recipe(name="other", loss="margin_mse", label_weight=0.5)
    assert apply(run, same_student, until="labels_alone") == []
    smaller = Recipe(name="other", student=Shape(n_layers=2, n_heads=3, d_ff=192))
    assert apply(run, smaller, until="labels_alone") == ["labels_alone_other"]


def test_a_damaged_stage_and_a_changed_one_are_made_again_with_all_that_follow(run):
    apply(run)
    (run.stage("quantized") / "config.json").write_text("damaged")
    assert apply(run) == ["quantized"]
    with stages.whole(run.stage("teacher"), notebook="results", facts={"made_of": "other"}) as partial:
        (partial / "config.json").write_text("another teacher")
    assert apply(run) == ["pruned", "student", "quantized"]


def test_changed_data_makes_every_stage_again(run):
    apply(run)
    run.catalogue.hash = "other"
    assert apply(run) == ["pruned", "student", "quantized"]


@pytest.mark.parametrize(
    ("file", "start", "again"),
    [
        ("shrink/prune/vocabulary.py", "def kept_tokens(", ["pruned"]),
        ("shrink/distil/distil_losses.py", "def list_net(", ["student"]),
        ("shrink/quantize/calibration.py", "def draw(", ["quantized"]),
        ("rank/models.py", "def save(", ["pruned", "student", "quantized"]),
        ("shrink/sparsify/sparsity.py", "def arrays(", []),
        ("measure/row_groups.py", "class Row(", []),
    ],
)
def test_changed_code_makes_just_the_stages_again_that_it_makes(run, source, monkeypatch, file, start, again):
    monkeypatch.setattr(pipeline.stages, "digest", lambda folder: "the same")
    assert apply(run) == ["pruned", "student", "quantized"]
    replace_once(source / "utils" / file, start, f"@cache\n{start}")
    assert apply(run) == again


def test_several_recipes_are_timed_in_one_go(run, monkeypatch):
    monkeypatch.setattr(pipeline.measure_stage, "measure", lambda run, variants: list(variants))
    deep = Recipe(name="deep", pruned=Shape(n_layers=6, n_heads=8, d_ff=512))
    rows = pipeline.apply(run, Recipe(), deep, echo=lambda line: None)
    assert rows == [*pipeline.variants(Recipe()), *pipeline.variants(deep)] and len(rows) == 10
    of_deep = [stage for stage in pipeline.STAGES if stage != "teacher_int8"]  # which no shape decides
    assert run.made == [*pipeline.STAGES, *(f"{stage}_deep" for stage in of_deep)]


@pytest.mark.parametrize(
    ("how", "own"),
    [
        ({}, []),
        ({"precision": "fp32"}, ["quantized_other"]),
        ({"for_openvino": "SmoothQuant"}, ["quantized_other"]),
        ({"layers": "spread"}, ["student_other", "quantized_other"]),
        ({"n_label_pairs": 0}, ["student_other", "quantized_other"]),
        ({"pruned": Shape(n_layers=6, n_heads=8, d_ff=512)}, ["pruned_other", "student_other", "quantized_other"]),
    ],
)
def test_another_recipe_has_stages_of_its_own_from_where_it_differs(run, how, own):
    assert apply(run) == ["pruned", "student", "quantized"]
    assert apply(run, Recipe(name="other", **how)) == own
    assert apply(run) == []


def test_every_field_of_a_recipe_decides_one_stage_of_its_chain():
    chain = [stage for stage in pipeline.STAGES if stage not in pipeline.CONTROLS]
    decided = [field for stage in chain for field in pipeline.STAGES[stage]]
    assert sorted([*decided, "name"]) == sorted(Recipe.model_fields)
