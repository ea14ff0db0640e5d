"""Levers alone: each changes what it is named for and nothing else, and the product is that of the shares."""

import pytest
from made import row
from matplotlib import pyplot as plt

from utils import settings
from utils.data import catalogue
from utils.measure import cost, plots_levers
from utils.rank import models
from utils.shrink import int8_openvino, levers
from utils.shrink.recipe import Recipe, Setting, Shape


@pytest.fixture(scope="module")
def folders(small_folder, tmp_path_factory):
    profile = settings.profile("ci")
    setting = Setting(catalogue.load("synthetic", profile=profile), profile, 0, tmp_path_factory.mktemp("logs"))
    shape = Shape(n_layers=1, n_heads=4, d_ff=240)
    recipe = Recipe(pruned=Shape(n_layers=2, n_heads=4, d_ff=240), student=shape)
    return levers.alone(small_folder, recipe=recipe, setting=setting, work=tmp_path_factory.mktemp("levers"))


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
    shares = {
        name: int8_openvino.quantized_share(folder / "openvino" / "openvino_model.xml")
        for name, folder in folders.items()
    }
    assert shares.pop("int8") > 0.9 and max(shares.values()) < 0.01


def test_bytes_of_levers_that_share_a_model_do_not_multiply(small_folder, folders):
    """The vocabulary is most of the bytes and none of the work, so the share of one lever depends on the others."""

    def n_bytes(folder):
        return {"bytes": cost.disk_bytes(models.shipped_files(folder, runtime="openvino"))}

    found = levers.left({name: n_bytes(folder) for name, folder in folders.items()}, of=n_bytes(small_folder))
    product = found.pop("all, multiplied")["bytes"]
    expected = 1.0
    for share in found.values():
        assert 0 < share["bytes"] < 1
        expected *= share["bytes"]
    assert product == pytest.approx(expected)


def test_the_waterfall_says_what_is_left_of_the_step_before():
    rows = [row(label=name, disk_bytes=size, macs_per_pair=size) for name, size in (("a", 8e6), ("b", 4e6), ("c", 1e6))]
    figure = plots_levers.waterfall(rows, title="t")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["8", "4 (50% left)", "1 (25% left)"]
    plt.close(figure)
