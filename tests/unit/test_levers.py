"""Levers alone: each changes what it is named for and nothing else, and the product is that of the shares."""

import pytest
from made import row
from matplotlib import pyplot as plt

from utils import settings
from utils.data import catalogue
from utils.measure import plots_levers
from utils.rank import models
from utils.rank.runtimes import in_onnxruntime, in_openvino
from utils.shrink import levers
from utils.shrink.recipe import Recipe, Setting, Shape


@pytest.fixture(scope="module")
def folders(small_folder, tmp_path_factory):
    profile = settings.profile("ci")
    setting = Setting(catalogue.load("synthetic", profile=profile), profile, 0, tmp_path_factory.mktemp("logs"))
    shape = Shape(n_layers=1, n_heads=4, d_ff=240)
    recipe = Recipe(pruned=Shape(n_layers=2, n_heads=4, d_ff=240), student=shape)
    how = {"recipe": recipe, "setting": setting, "work": tmp_path_factory.mktemp("levers")}
    levers.apply_each_alone(small_folder, **how)
    return levers.apply_each_alone(small_folder, **how)  # as when a cell is run again


def test_each_lever_changes_what_it_is_named_for_and_nothing_else(small_folder, folders):
    whole, _ = models.load(small_folder)
    loaded = {name: models.load(folder)[0] for name, folder in folders.items()}
    changed = {
        name: {
            what
            for what in ("vocab_size", "num_hidden_layers", "intermediate_size", "pruned_heads")
            if getattr(model.config, what) != getattr(whole.config, what)
        }
        for name, model in loaded.items()
    }
    assert changed == {
        "vocabulary": {"vocab_size"},
        "heads and neurons": {"intermediate_size", "pruned_heads"},
        "layers": {"num_hidden_layers"},
        "int8": set(),
    }
    for of_openvino in (True, False):
        shares = {name: quantized_share(folder, of_openvino=of_openvino) for name, folder in folders.items()}
        assert shares.pop("int8") > 0.9 and max(shares.values()) < 0.01


def quantized_share(folder, *, of_openvino):
    if of_openvino:
        return in_openvino.quantized_share(folder / "openvino" / "openvino_model.xml")
    return in_onnxruntime.quantized_share(folder / "onnx" / "model.onnx")


def test_what_is_left_is_a_share_of_the_teachers_and_the_product_is_that_of_the_shares():
    found = levers.remaining_shares(
        {"a": {"bytes": 50, "MACs": 8}, "b": {"bytes": 20, "MACs": 2}}, of={"bytes": 100, "MACs": 8}
    )
    assert found["a"] == {"bytes": 0.5, "MACs": 1.0} and found["b"] == {"bytes": 0.2, "MACs": 0.25}
    assert found["all, multiplied"] == pytest.approx({"bytes": 0.1, "MACs": 0.25})


def test_the_waterfall_says_what_is_left_of_the_step_before():
    rows = [row(label=name, disk_bytes=size, macs_per_pair=size) for name, size in (("a", 8e6), ("b", 4e6), ("c", 1e6))]
    figure = plots_levers.waterfall(rows, title="t")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["8", "4 (50%)", "1 (25%)"]
    plt.close(figure)
