"""Lab 01 as learners get it wrong: (task, function, what the message has to name)."""

import numpy as np
import torch


def fuse_with_ranks_from_0(bm25, cosine):
    return sum(1 / (60 + np.argsort(np.argsort(-scores))) for scores in (bm25, cosine))


def fuse_with_one_argsort(bm25, cosine):
    return sum(1 / (61 + np.argsort(-scores)) for scores in (bm25, cosine))


def fuse_turned_round(bm25, cosine):
    return sum(1 / (61 + scores.argsort().argsort()) for scores in (bm25, cosine))


def fuse_scores(bm25, cosine):
    return bm25 + cosine


def dcg(gains, first):
    return sum(gain / np.log2(place + first) for place, gain in enumerate(gains))


def ndcg_off_by_one(gains, scores, depth):
    best = dcg(sorted(gains, reverse=True)[:depth], first=3)
    return dcg(gains[np.argsort(-scores)][:depth], first=3) / best if best else 0.0


def ndcg_without_sorting(gains, scores, depth):
    best = dcg(sorted(gains, reverse=True)[:depth], first=2)
    return dcg(gains[:depth], first=2) / best if best else 0.0


def ndcg_worst_first(gains, scores, depth):
    best = dcg(sorted(gains, reverse=True)[:depth], first=2)
    return dcg(gains[np.argsort(scores)][:depth], first=2) / best if best else 0.0


def ndcg_of_exponential_gains(gains, scores, depth):
    gains = 2**gains - 1
    best = dcg(sorted(gains, reverse=True)[:depth], first=2)
    return dcg(gains[np.argsort(-scores)][:depth], first=2) / best if best else 0.0


def ndcg_with_a_whole_best_order(gains, scores, depth):
    best = dcg(sorted(gains, reverse=True), first=2)
    return dcg(gains[np.argsort(-scores)][:depth], first=2) / best if best else 0.0


def ndcg_of_nothing(gains, scores, depth):
    return dcg(gains[np.argsort(-scores)][:depth], first=2) / dcg(sorted(gains, reverse=True)[:depth], first=2)


def loss_of_plain_gains(scores, gains):
    return -(gains / gains.sum() * scores.log_softmax(0)).sum()


def loss_of_two_softmaxes(scores, gains):
    return torch.nn.functional.cross_entropy(scores[None], gains.softmax(0)[None])


def mean_loss(scores, gains):
    wanted = (gains - gains.min()) / (gains - gains.min()).sum().clamp(min=1e-9)
    return -(wanted * scores.log_softmax(0)).mean()


def loss_that_overflows(scores, gains):
    wanted = (gains - gains.min()) / (gains - gains.min()).sum().clamp(min=1e-9)
    return -(wanted * torch.log(scores.exp() / scores.exp().sum())).sum()


def loss_as_a_float(scores, gains):
    wanted = (gains - gains.min()).tolist()
    return -sum(w / max(sum(wanted), 1e-9) * s for w, s in zip(wanted, scores.log_softmax(0).tolist(), strict=True))


def losses_of(model, features, gains, loss):
    return [loss(one, wanted) for one, wanted in zip(model(features)[..., 0], gains, strict=True)]


def step_with_old_gradients(model, features, gains, optimizer, loss):
    mean = torch.stack(losses_of(model, features, gains, loss)).mean()
    mean.backward()
    optimizer.step()
    return mean.item()


def step_with_a_sum(model, features, gains, optimizer, loss):
    optimizer.zero_grad()
    total = sum(losses_of(model, features, gains, loss))
    total.backward()
    optimizer.step()
    return total.item()


def step_of_one_long_list(model, features, gains, optimizer, loss):
    optimizer.zero_grad()
    value = loss(model(features).reshape(-1), gains.reshape(-1))
    value.backward()
    optimizer.step()
    return value.item()


def step_that_tells_afterwards(model, features, gains, optimizer, loss):
    optimizer.zero_grad()
    torch.stack(losses_of(model, features, gains, loss)).mean().backward()
    optimizer.step()
    return torch.stack(losses_of(model, features, gains, loss)).mean().item()


def step_that_never_moves(model, features, gains, optimizer, loss):
    optimizer.zero_grad()
    mean = torch.stack(losses_of(model, features, gains, loss)).mean()
    mean.backward()
    return mean.item()


def ndcg_of_the_shown(gains, scores, depth):
    shown = gains[np.argsort(-scores)][:depth]
    best = np.sort(shown)[::-1]
    discounts = 1 / np.log2(np.arange(len(shown)) + 2)
    return float((shown * discounts).sum() / (best * discounts).sum()) if best.any() else 0.0


def loss_with_a_logarithm_afterwards(scores, gains):
    above = gains - gains.min()
    return -(above / above.sum().clamp(min=1e-9) * scores.softmax(0).log()).sum()


def step_that_gives_a_tensor(model, features, gains, optimizer, loss):
    optimizer.zero_grad()
    scores = model(features)[..., 0]
    value = torch.stack([loss(one, other) for one, other in zip(scores, gains, strict=True)]).mean()
    value.backward()
    optimizer.step()
    return value


WRONG = [
    ("ndcg", ndcg_of_the_shown, "made of the products that are shown"),
    ("listwise_loss", loss_with_a_logarithm_afterwards, "before its logarithm"),
    ("training_step", step_that_gives_a_tensor, "a Tensor came back; give a Python number"),
    ("fuse", fuse_with_ranks_from_0, "rank 0"),
    ("fuse", fuse_with_one_argsort, "argsort is taken for the ranks"),
    ("fuse", fuse_turned_round, "the worst product"),
    ("fuse", fuse_scores, "the scores themselves"),
    ("ndcg", ndcg_off_by_one, "the first one is discounted"),
    ("ndcg", ndcg_without_sorting, "the order in which they came"),
    ("ndcg", ndcg_worst_first, "the lowest score comes first"),
    ("ndcg", ndcg_of_exponential_gains, "exponential"),
    ("ndcg", ndcg_with_a_whole_best_order, "not cut at the depth"),
    ("ndcg", ndcg_of_nothing, "no product is worth anything"),
    ("listwise_loss", loss_of_plain_gains, "the lowest gain of the list is left in"),
    ("listwise_loss", loss_of_two_softmaxes, "through a softmax as well"),
    ("listwise_loss", mean_loss, "the mean over products"),
    ("listwise_loss", loss_that_overflows, "before its logarithm"),
    ("listwise_loss", loss_as_a_float, "no gradient"),
    ("training_step", step_with_old_gradients, "the gradients of the step before"),
    ("training_step", step_with_a_sum, "added up and not averaged"),
    ("training_step", step_of_one_long_list, "one list"),
    ("training_step", step_that_tells_afterwards, "once more after the step"),
    ("training_step", step_that_never_moves, "never moved"),
]
