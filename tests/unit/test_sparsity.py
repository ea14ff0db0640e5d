"""Layouts give back what they stored, their bytes are those of the formulas, and folders come back to the bit."""

import json

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from utils import disk
from utils.rank import models, runtimes
from utils.shrink.sparsify import sparse_folder, sparsity
from utils.shrink.sparsify import structured_sparsity as structured

EXACT = np.array([[0, 5, 0, 0], [0, 0, 0, 0], [7, 0, 0, 8], [0, 0, 0, 0]], dtype=np.float32)


def matrix(*, density, shape=(64, 96), seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < density, rng.normal(size=shape), 0).astype(np.float32)


@pytest.mark.parametrize("layout", sparsity.LAYOUTS)
@pytest.mark.parametrize("density", [0.0, 0.03, 0.5, 1.0])
def test_every_layout_gives_back_the_matrix(layout, density):
    given = matrix(density=density)
    stored = sparsity.arrays(given, layout=layout)
    np.testing.assert_array_equal(sparsity.dense(stored, layout=layout, shape=given.shape), given)


def test_arrays_of_a_matrix_worked_by_hand():
    coo = sparsity.arrays(EXACT, layout="COO")
    assert [coo[name].tolist() for name in ("rows", "columns", "values")] == [[0, 2, 2], [1, 0, 3], [5, 7, 8]]
    csr = sparsity.arrays(EXACT, layout="CSR")
    assert csr["starts"].tolist() == [0, 1, 1, 3, 3] and csr["columns"].tolist() == [1, 0, 3]
    blocks = sparsity.arrays(EXACT, layout="block CSR", block=2)
    assert blocks["starts"].tolist() == [0, 1, 3] and blocks["columns"].tolist() == [0, 0, 1]
    assert blocks["blocks"].tolist() == [[[0, 5], [0, 0]], [[7, 0], [0, 0]], [[0, 8], [0, 0]]]
    bitmap = sparsity.arrays(EXACT, layout="bitmap")
    assert [f"{byte:08b}" for byte in bitmap["bits"]] == ["01000000", "10010000"]
    assert bitmap["values"].tolist() == [5, 7, 8]


@pytest.mark.parametrize("layout", sparsity.LAYOUTS)
def test_counted_bytes_are_those_of_the_formula(layout):
    given = matrix(density=0.1, shape=(400, 400))
    density = np.count_nonzero(given) / given.size
    expected = sparsity.expected_bytes(layout, shape=given.shape, density=density)
    counted = sum(array.nbytes for array in sparsity.arrays(given, layout=layout).values())
    assert counted == pytest.approx(expected, rel=0.02 if layout == "block CSR" else 1e-12)


@pytest.mark.parametrize("layout", sparsity.LAYOUTS[1:])
@pytest.mark.parametrize("value_bytes", [1, 2, 4])
def test_layout_is_as_large_as_dense_at_its_break_even_and_smaller_just_below(layout, value_bytes):
    density = sparsity.break_even(layout, value_bytes=value_bytes)
    at = {"shape": (10**6, 10**6), "value_bytes": value_bytes}  # so large that row starts do not count
    dense = sparsity.expected_bytes("dense", density=density, **at)
    assert sparsity.expected_bytes(layout, density=density, **at) == pytest.approx(dense, rel=1e-5)
    assert sparsity.expected_bytes(layout, density=0.9 * density, **at) < dense


def test_break_even_falls_with_the_width_of_a_value_and_half_zeros_do_not_pay_in_coordinates():
    assert sparsity.break_even("COO") == pytest.approx(1 / 3)
    assert sparsity.break_even("CSR", value_bytes=1) == pytest.approx(0.2)
    assert sparsity.break_even("bitmap") == pytest.approx(31 / 32)
    stored = {layout: sparsity.on_disk({"w": matrix(density=0.51)}, layout=layout) for layout in sparsity.LAYOUTS}
    assert stored["COO"].plain > stored["CSR"].plain > stored["dense"].plain > stored["bitmap"].plain


@pytest.mark.parametrize("density", [0.0, 0.02, 0.5, 1.0])
def test_no_layout_goes_below_the_entropy(density):
    at = {"shape": (64, 96), "density": density}
    least = sparsity.least_bytes(**at)
    assert all(sparsity.expected_bytes(layout, **at) >= least for layout in sparsity.LAYOUTS)
    assert least >= 4 * density * 64 * 96


def test_zstd_finds_zeros_in_a_dense_file_and_none_in_random_values():
    zeros = sparsity.on_disk({"w": matrix(density=0.1, shape=(256, 256))}, layout="dense")
    full = sparsity.on_disk({"w": matrix(density=1.0, shape=(256, 256))}, layout="dense")
    assert zeros.plain == full.plain and zeros.zstd < 0.25 * zeros.plain and full.zstd > 0.85 * full.plain


def test_memory_of_pytorch_counts_its_wide_indices():
    given = matrix(density=0.5)
    n_values = np.count_nonzero(given)
    held = {layout: sparsity.in_memory({"w": given}, layout=layout) for layout in sparsity.LAYOUTS}
    assert held["dense"] == held["bitmap"] == given.nbytes
    assert held["COO"] == 20 * n_values and held["CSR"] == 12 * n_values + 8 * (len(given) + 1)
    assert held["block CSR"] >= sum(a.nbytes for a in sparsity.arrays(given, layout="block CSR").values())


def test_blocks_that_do_not_fit_and_unknown_layouts_are_refused():
    with pytest.raises(ValueError, match="blocks of 4 × 4 do not fit into a matrix of 6 × 8"):
        sparsity.arrays(np.ones((6, 8), dtype=np.float32), layout="block CSR")
    with pytest.raises(ValueError, match="not one of dense, COO"):
        sparsity.arrays(EXACT, layout="ELL")
    with pytest.raises(ValueError, match="breaks even nowhere"):
        sparsity.break_even("dense")
    with pytest.raises(ValueError, match="density 1.5"):
        sparsity.expected_bytes("COO", shape=(4, 4), density=1.5)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    words=st.lists(st.one_of(st.just(0), st.integers(0, 2**32 - 1)), max_size=40),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8]),
)
def test_bitmap_keeps_every_bit_also_of_negative_zero_and_nan(words, dtype):
    given = torch.from_numpy(np.array([*words, 2**31, 0x7FC00001], dtype=np.uint32)).view(torch.uint8)
    given = given[: len(given) // 8 * 8].view(dtype)
    bits, values = sparsity.to_bitmap(given)
    back = sparsity.from_bitmap(bits, values, shape=tuple(given.shape))
    assert back.dtype == dtype and torch.equal(back.view(torch.uint8), given.view(torch.uint8))


def test_bitmap_with_other_values_than_bits_is_refused():
    bits, values = sparsity.to_bitmap(torch.tensor([0.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match="2 bits are set, but there are 1 values"):
        sparsity.from_bitmap(bits, values[:1], shape=(3,))
    with pytest.raises(ValueError, match="2 bits are set"):  # one of them beyond the third element
        sparsity.from_bitmap(torch.tensor([0b01001000], dtype=torch.uint8), values, shape=(3,))
    with pytest.raises(ValueError, match="2 are needed"):
        sparsity.from_bitmap(bits, values, shape=(9,))


@pytest.fixture
def pruned(small_folder, tmp_path):
    """A folder whose encoder keeps 2 of every 4 weights, packed."""
    model, tokenizer = models.load(small_folder)
    masks = structured.masks(structured.magnitude_scores(model), rule=structured.two_of_four)
    structured.apply(model, masks=masks)
    folder = models.save(model, tokenizer=tokenizer, folder=tmp_path / "pruned", max_tokens=64)
    sparse_folder.pack(folder)
    return folder


def test_packed_folder_is_smaller_and_comes_back_to_the_bit(pruned, tmp_path):
    expected, packed = load_file(pruned / "model.safetensors"), sparse_folder.read(pruned)
    assert packed.keys() == expected.keys()
    assert all(torch.equal(packed[n].view(torch.int32), expected[n].view(torch.int32)) for n in expected)
    encoder = sum(t.nbytes for n, t in expected.items() if ".layer." in n and t.ndim == 2)
    saved = (pruned / "model.safetensors").stat().st_size - (pruned / sparse_folder.WEIGHTS).stat().st_size
    assert saved == pytest.approx(encoder * (1 / 2 - 1 / 32), rel=0.01)
    whole = sparse_folder.unpack(pruned, to=tmp_path / "whole")
    assert disk.sha256(whole / "model.safetensors") == disk.sha256(pruned / "model.safetensors")


def test_packed_folder_scores_as_before_without_its_dense_weights(pruned):
    pairs = [("red sofa", "a red couch"), ("lamp", "floor lamp, brass")]
    expected = runtimes.open_ranker(pruned, runtime="pytorch", threads=1, max_tokens=64).score(pairs)
    (pruned / "model.safetensors").unlink()
    model, tokenizer = sparse_folder.load(pruned)
    ranker = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=1, max_tokens=64)
    np.testing.assert_allclose(ranker.score(pairs), expected, atol=1e-6)
    shipped = sparse_folder.shipped_files(pruned)
    assert pruned / sparse_folder.WEIGHTS in shipped and pruned / "tokenizer.json" in shipped
    assert all(path.is_file() for path in shipped)


def test_packed_folder_with_cut_heads_loads_as_it_was(small_folder, tmp_path):
    model, tokenizer = models.load(small_folder)
    model.prune_heads({0: [0, 3], 1: [1, 2]})
    structured.apply(model, masks=structured.masks(structured.magnitude_scores(model), rule=structured.two_of_four))
    folder = models.save(model, tokenizer=tokenizer, folder=tmp_path / "heads", max_tokens=64)
    sparse_folder.pack(folder)
    (folder / "model.safetensors").unlink()
    loaded, _ = sparse_folder.load(folder)
    assert loaded.config.pruned_heads == model.config.pruned_heads
    assert all(torch.equal(weight, model.state_dict()[name]) for name, weight in loaded.state_dict().items())


def test_full_weights_are_stored_as_they_are(small_folder, tmp_path):
    model, tokenizer = models.load(small_folder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1e-9).masked_fill_(parameter == 0, 1.0)
    folder = models.save(model, tokenizer=tokenizer, folder=tmp_path / "full", max_tokens=64)
    packed = load_file(sparse_folder.pack(folder))
    assert not any(name.endswith(":bits") for name in packed) and packed.keys() == model.state_dict().keys()


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("place", [-1, -1000, 3, 100])
def test_one_flipped_bit_anywhere_is_refused(pruned, place):
    flip(pruned / sparse_folder.WEIGHTS, place)
    with pytest.raises(ValueError, match=r"weights.safetensors: .*make it again"):
        sparse_folder.read(pruned)


def test_one_flipped_bit_of_a_value_is_refused(pruned):
    path = pruned / sparse_folder.WEIGHTS
    flip(path, path.stat().st_size // 2)  # values are the larger part of the file and stand before the bits
    with pytest.raises(ValueError, match="the weights are not those that were packed"):
        sparse_folder.read(pruned)


@pytest.mark.parametrize("n_bytes", [0, 5, 2000, -1])
def test_truncated_file_is_refused(pruned, n_bytes):
    path = pruned / sparse_folder.WEIGHTS
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(ValueError, match="cut short, damaged"):
        sparse_folder.read(pruned)


def test_foreign_file_other_version_and_missing_parts_are_refused(pruned):
    path = pruned / sparse_folder.WEIGHTS
    stored = load_file(path)
    save_file(stored, path)
    with pytest.raises(ValueError, match="was not written by sparse_folder.pack"):
        sparse_folder.read(pruned)
    facts = {"format": sparse_folder.FORMAT, "version": "2", "shapes": "{}", "sha256": ""}
    save_file(stored, path, metadata=facts)
    with pytest.raises(ValueError, match="is of version 2, here 1"):
        sparse_folder.read(pruned)
    for shapes in ('{"nobody": [2, 2]}', "[]", "no json"):
        save_file(stored, path, metadata=facts | {"version": "1", "shapes": shapes})
        with pytest.raises(ValueError, match="damaged"):
            sparse_folder.read(pruned)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="sparse/weights.safetensors is missing"):
        sparse_folder.read(pruned)


def test_weights_of_another_model_are_refused(pruned):
    config = json.loads((pruned / "config.json").read_text())
    (pruned / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    with pytest.raises(ValueError, match="do not fit config.json"):
        sparse_folder.load(pruned)
    (pruned / "config.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read, it is damaged"):
        sparse_folder.load(pruned)
    (pruned / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="config.json is missing"):
        sparse_folder.load(pruned)
