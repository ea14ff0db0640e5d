"""What the labs call right is what the course itself computes, on the very inputs of their checks."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from utils.course.labs import cases_07, checks, lab_01, lab_02, lab_03, lab_04, lab_05, lab_06, lab_07, lab_08, ways_07
from utils.measure import cost, pricing, timing
from utils.rank import metrics, models, ranker, training
from utils.shrink.distil import distil_losses, distillation
from utils.shrink.prune import magnitude, pruning
from utils.shrink.quantize import fake_quant, quantization
from utils.shrink.sparsify import sparsity, structured_sparsity
from utils.speed import cascade
from utils.speed.gpu import break_even, online_softmax, packing


def inputs(task):
    return [case.arguments for case in checks.find(task).cases(0)]


def test_ndcg():
    for given in inputs("lab_01.ndcg"):
        if given["depth"] == metrics.DEPTH and given["gains"].any():
            assert lab_01.ndcg(**given) == pytest.approx(metrics.ndcg10(given["gains"], scores=given["scores"]))


def test_listwise_loss():
    for given in inputs("lab_01.listwise_loss"):
        of_course = training.loss_of_lists(given["scores"][None], given["gains"][None])
        assert float(lab_01.listwise_loss(**given)) == pytest.approx(float(of_course), abs=1e-6)


def test_macs_of_attention():
    config = BertConfig(hidden_size=384, num_attention_heads=12, num_hidden_layers=1, intermediate_size=8)
    by_part = cost.macs_by_hand(config, n_tokens=25)
    of_course = by_part["projections (Q, K, V, output)"] + by_part["attention (scores and sums)"]
    assert lab_02.attention_macs(25, 384, 12) == of_course


def test_interval_of_a_ratio():
    slow, fast = np.array([20.0, 23.0, 61.0, 18.0]), np.array([10.0, 11.0, 30.0, 10.0])
    draws = np.random.default_rng(0).integers(4, size=(timing.N_RESAMPLES, 4))
    found = timing.ratio(timing.Timing(tuple(slow)), timing.Timing(tuple(fast)))
    assert lab_02.ratio_interval(slow, fast, draws) == pytest.approx((found.median, found.low, found.high))


def bert(*, n_heads=4):
    sizes = {"hidden_size": 8, "intermediate_size": 16, "vocab_size": 50, "num_hidden_layers": 1}
    torch.manual_seed(0)
    return BertModel(BertConfig(**sizes, num_attention_heads=n_heads)).eval()


def test_zeros_by_magnitude():
    model = bert()
    before = {name: layer.weight.detach().numpy().copy() for name, layer in magnitude.linear_layers(model).items()}
    magnitude.zero_smallest(model, sparsity=0.5, scope="layer")
    for name, layer in magnitude.linear_layers(model).items():
        assert np.array_equal(layer.weight.detach().numpy(), lab_03.zero_smallest(before[name], 0.5)), name


def test_importance_of_heads():
    """The course lays a gate on each head; the lab multiplies output and gradient: the chain rule makes them one."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "vocab_size": 50, "num_hidden_layers": 1}
    model = BertForSequenceClassification(BertConfig(**sizes, num_attention_heads=4, num_labels=1)).eval()
    batch = {"input_ids": torch.randint(5, 50, (3, 6)), "attention_mask": torch.ones(3, 6, dtype=torch.long)}
    labels, seen = torch.tensor([[3.0, 1.0, 0.0]]), []  # one list of three pairs
    hook = model.bert.encoder.layer[0].attention.output.dense.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0])
    )
    loss = training.listwise_loss(model(**batch), labels)
    hook.remove()
    (gradient,) = torch.autograd.grad(loss, seen)
    of_lab = lab_03.head_importance(*(one.detach().reshape(1, -1, 8).numpy() for one in (seen[0], gradient)), 4)
    (of_course,) = pruning.head_importance(model, [batch | {"labels": labels}])
    np.testing.assert_allclose(of_lab, of_course.numpy(), rtol=1e-4)


def test_heads_that_leave():
    model = bert()
    attention = model.encoder.layer[0].attention
    places = {name: getattr(attention.self, name) for name in lab_03.INWARDS} | {"output": attention.output.dense}
    weights = {name: place.weight.detach().numpy().copy() for name, place in places.items()}
    weights |= {f"{name}_bias": place.bias.detach().numpy().copy() for name, place in places.items()}
    pruning.cut_heads(model, n_heads=2, importance=torch.tensor([[0.1, 0.9, 0.2, 0.8]]))
    places = {name: getattr(attention.self, name) for name in lab_03.INWARDS} | {"output": attention.output.dense}
    found = lab_03.cut_heads(weights, [1, 3], 4)
    for name, place in places.items():
        assert np.array_equal(found[name], place.weight.detach().numpy()), name
        assert np.array_equal(found[f"{name}_bias"], place.bias.detach().numpy()), name


def test_margin_mse():
    for given in inputs("lab_04.margin_mse"):
        of_course = distil_losses.margin_mse(given["student"][None], given["teacher"][None])
        assert float(lab_04.margin_mse(**given)) == pytest.approx(float(of_course), abs=1e-6)


def test_mixture():
    for given in inputs("lab_04.mixture"):
        of_course = distillation.list_loss(
            {"logits": given["student"][:, None]},
            torch.stack([given["teacher"], given["gains"]], dim=1)[None],
            score_loss=distil_losses.list_net,
            label_weight=given["label_weight"],
        )
        assert float(lab_04.mixture(**given)) == pytest.approx(float(of_course), abs=1e-6)


def test_csr():
    for given in inputs("lab_05.to_csr"):
        stored = sparsity.arrays(given["matrix"], layout="CSR")
        for mine, name in zip(lab_05.to_csr(**given), ("values", "columns", "starts"), strict=True):
            assert np.array_equal(mine, stored[name]), name


def test_break_even():
    """The course's is of a matrix so large that the row starts do not count, and is a density."""
    of_lab = lab_05.break_even(10**6, 10**6, 4, sparsity.INDEX_BYTES)
    assert 1 - of_lab == pytest.approx(sparsity.break_even("CSR"), abs=1e-5)


def test_two_of_four():
    weight = np.random.default_rng(0).normal(size=(8, 16))
    of_course = structured_sparsity.two_of_four(torch.from_numpy(abs(weight)))
    assert np.array_equal(lab_05.mask_2_4(weight), of_course.numpy())


def test_grid_of_each_output():
    for given in inputs("lab_06.quantize"):
        grid = quantization.symmetric(given["weight"], axis=0)
        whole, scales = lab_06.quantize(**given)
        is_used = abs(given["weight"]).max(axis=1) > 0  # a row of zeros may have any scale
        np.testing.assert_allclose(scales[is_used], grid.scale[is_used, 0], rtol=1e-6)
        assert np.array_equal(whole, quantization.quantize(given["weight"].astype(np.float32), grid))


def test_product_of_whole_numbers():
    rng = np.random.default_rng(0)
    inputs, weight = rng.normal(size=(3, 8)), rng.normal(size=(4, 8))
    whole, scales = lab_06.quantize(weight)
    grid = quantization.symmetric(inputs)
    found = lab_06.int8_product(inputs, float(grid.scale), whole.astype(np.int8), scales, np.zeros(4))
    weight_grid = quantization.Grid(scales[None], np.zeros((1, 4), dtype=np.int32), -127, 127)
    of_course = quantization.matmul(inputs, weight.T, a_grid=grid, b_grid=weight_grid)
    np.testing.assert_allclose(found, of_course, rtol=1e-5, atol=1e-6)


def test_straight_through():
    """Beside the limit: half a step beyond it rounds to the limit, which the course's gradient lets pass."""
    for given in inputs("lab_06.fake_quantize"):
        both = []
        for rounded in (
            lambda values, limit: lab_06.fake_quantize(values, limit),
            lambda values, limit: fake_quant.Round.apply(values, torch.tensor(limit / 127), 0, -127, 127),
        ):
            values = given["values"].clone().requires_grad_()
            (gradient,) = torch.autograd.grad(rounded(values, given["limit"]).sum(), values)
            both.append((rounded(values, given["limit"]).detach(), gradient))
        beside = (given["values"].abs() / given["limit"] - 1).abs() < 1 / 254
        torch.testing.assert_close(both[0][0], both[1][0])
        assert torch.equal(both[0][1][~beside], both[1][1][~beside])


TEXTS = ["red sofa", "sofa " * 20, "a lamp of brass, " * 9, "", "désk for a small room 120 x 60", "unbelievable " * 40]


@pytest.mark.parametrize("max_tokens", [8, 15, 16, 48])
def test_a_joined_pair(max_tokens):
    """The lab joins ids of whole texts; the course has the tokenizer's own rule, which a test of it proves."""
    tokenizer = models.open_tokenizer()
    pairs = [(query, product) for query in TEXTS for product in TEXTS]
    encoded = ranker.encode(tokenizer, pairs, max_tokens=max_tokens)
    width = max(map(len, encoded["input_ids"]))
    padded = tokenizer.pad(encoded, padding=True, return_tensors="np")
    names = ("input_ids", "token_type_ids", "attention_mask")
    for row, pair in enumerate(pairs):
        query_ids, product_ids = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in pair)
        joined = lab_07.join(query_ids, product_ids, max_tokens, width)
        for name, column in zip(names, joined, strict=True):
            assert column == padded[name][row].tolist(), (pair, name)


def test_buckets_have_fewer_fillers_than_the_order_given_within_their_budget():
    """The course batches by length too; the budget instead of a size is the lab's own, and so are its promises."""
    for given in inputs("lab_07.length_buckets"):
        lengths, budget = given["n_tokens"], given["budget"]
        batches = lab_07.length_buckets(**given)
        as_given = ways_07.buckets(lengths, budget, order=lambda n_tokens: range(len(n_tokens)))
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        computed = [
            [len(batch) * max(lengths[row] for row in batch) for batch in found] for found in (batches, as_given)
        ]
        assert max(computed[0], default=0) <= budget and sum(computed[0]) <= sum(computed[1])
    assert sum(computed[0]) < sum(computed[1])


def test_order_of_a_cascade():
    for given in inputs("lab_07.cascade_order"):
        first, second = given["first_scores"], given["second_scores"]
        if given["depth"]:
            of_lab = lab_07.cascade_order(first, lambda numbers: second[numbers], given["depth"])  # noqa: B023
            scores = cascade.merge(first, second, queries=["a query"] * len(first), depth=given["depth"])
            assert np.array_equal(scores[of_lab], -np.sort(-scores))


def test_depth_of_a_cascade():
    for given in inputs("lab_07.choose_depth"):
        draws = np.random.default_rng(0).integers(cases_07.N_QUERIES, size=(2_000, cases_07.N_QUERIES))
        quality_at = {depth: metrics.Quality.of_values(values) for depth, values in given["ndcg_by_depth"].items()}
        of_lab = lab_07.choose_depth(given["ndcg_by_depth"], given["whole"], draws)
        try:
            of_course = cascade.choose_depth(quality_at, whole=metrics.Quality.of_values(given["whole"]))
        except ValueError:
            of_course = None
        assert of_lab == of_course


def test_packed_row():
    for given in inputs("lab_08.unpad"):
        ids, starts, positions = lab_08.unpad(**given)
        row, cu_seqlens = packing.unpad(given["input_ids"], given["mask"])
        assert torch.equal(ids, row) and torch.equal(starts, cu_seqlens.long())
        assert torch.equal(positions, packing.positions(cu_seqlens))
    for given in inputs("lab_08.repack"):
        assert torch.equal(lab_08.repack(**given), packing.repack(given["packed"], given["starts"], given["n_tokens"]))
    for given in inputs("lab_08.block_mask"):
        assert torch.equal(lab_08.block_mask(**given), packing.block_diagonal(given["starts"]))


def test_attention_over_a_packed_row_is_that_over_padded_rows():
    mask = (torch.arange(9) < torch.tensor([9, 2, 5, 1])[:, None]).long()
    hidden = torch.randn(4, 9, 8, generator=torch.Generator().manual_seed(0))
    packed, starts, _ = lab_08.unpad(hidden, mask)
    attention = torch.nn.functional.scaled_dot_product_attention
    in_one_row = attention(packed, packed, packed, attn_mask=lab_08.block_mask(starts))
    in_rows = attention(hidden, hidden, hidden, attn_mask=mask.bool()[:, None, :])
    torch.testing.assert_close(lab_08.repack(in_one_row, starts, 9), in_rows * mask[..., None])


def test_softmax_by_blocks():
    for given in inputs("lab_08.online_softmax"):
        scores, values = (torch.cat(part) for part in zip(*given["blocks"], strict=True))
        of_course = online_softmax.online_softmax(scores, values, block=2)
        torch.testing.assert_close(lab_08.online_softmax(given["blocks"]), of_course)
        torch.testing.assert_close(of_course, torch.softmax(scores, dim=0) @ values)


def test_break_even_in_traffic():
    load = {"peak_factor": pricing.PEAK_FACTOR, "utilisation": pricing.UTILISATION}
    for given in inputs("lab_08.break_even"):
        cpu, card = (
            break_even.Offer(name, given[name]["usd_per_hour"], given[name]["queries_per_s"])
            for name in ("cpu", "card")
        )
        of_course = break_even.break_even_queries_per_day(cpu, card, at_most=given["at_most"])
        of_lab = lab_08.break_even(given["cpu"], given["card"], **load, at_most=given["at_most"])
        assert of_lab == (of_course if of_course is None else pytest.approx(of_course, abs=1)), given
