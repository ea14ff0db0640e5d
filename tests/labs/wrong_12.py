"""Lab 12 as learners get it wrong: (task, function, what the message has to name)."""

import numpy as np

from utils.rank import metrics


def keep_and_cut_the_product(n_query, n_products, room):
    of_query = np.full_like(n_products, min(n_query, room))
    return np.stack([of_query, np.minimum(n_products, room - of_query)], axis=1)


def keep_halves(n_query, n_products, room):
    cut = np.stack(
        [np.full_like(n_products, min(n_query, room // 2)), np.minimum(n_products, room - room // 2)], axis=1
    )
    whole = np.stack([np.full_like(n_products, n_query), n_products], axis=1)
    return np.where((n_query + n_products <= room)[:, None], whole, cut)


def keep_by_popping(n_query, n_products, room):
    found = []
    for n_product in n_products.tolist():
        kept = [n_query, n_product]
        while sum(kept) > room:
            kept[kept[0] <= kept[1]] -= 1
        found.append(kept)
    return np.array(found, dtype=int).reshape(-1, 2)


def keep_nothing_free(n_query, n_products, room):
    shorter = np.minimum(np.minimum(n_query, n_products), room // 2)
    of_query = np.where(n_query > n_products, room - shorter, shorter)
    return np.stack([of_query, room - of_query], axis=1)


def fill_with(rows, n_rows, n_tokens, *, dtype=np.int32, repeats=True, full=False):
    ids = np.zeros((n_rows, n_tokens), dtype=dtype)
    mask = np.full((n_rows, n_tokens), int(full), dtype=dtype)
    for place, row in enumerate([*rows, *([rows[-1]] * (n_rows - len(rows)) if repeats else [])]):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return ids, mask


def fill_and_leave_empty(rows, n_rows, n_tokens):
    return fill_with(rows, n_rows, n_tokens, repeats=False)


def fill_in_int64(rows, n_rows, n_tokens):
    return fill_with(rows, n_rows, n_tokens, dtype=np.int64)


def fill_and_see_all(rows, n_rows, n_tokens):
    return fill_with(rows, n_rows, n_tokens, full=True)


def fill_by_ids(rows, n_rows, n_tokens):
    ids, _ = fill_with(rows, n_rows, n_tokens)
    return ids, (ids > 0).astype(np.int32)


def score_all(rows, run, n_rows, lengths, *, order, form, put=lambda found, order: found):
    found = []
    for first in range(0, len(rows), n_rows):
        batch = [rows[place] for place in order[first : first + n_rows]]
        found.extend(run(*fill_with(batch, n_rows, form(max(map(len, batch)))))[: len(batch)])
    return put(np.array(found), order)


def score_as_they_came(rows, run, n_rows, lengths):
    return score_all(
        rows, run, n_rows, lengths, order=range(len(rows)), form=lambda n: min(one for one in lengths if one >= n)
    )


def score_in_the_longest(rows, run, n_rows, lengths):
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    put = lambda found, order: found[np.argsort(order)]  # noqa: E731
    return score_all(rows, run, n_rows, lengths, order=order, form=lambda n: max(lengths), put=put)


def score_in_sorted_order(rows, run, n_rows, lengths):
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    return score_all(rows, run, n_rows, lengths, order=order, form=lambda n: min(one for one in lengths if one >= n))


def score_and_index_again(rows, run, n_rows, lengths):
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    form, put = lambda n: min(one for one in lengths if one >= n), lambda found, order: found[order]
    return score_all(rows, run, n_rows, lengths, order=order, form=form, put=put)


def ranks(scores):
    return np.argsort(np.argsort(scores))


def gate(
    reference,
    exported,
    gains,
    largest,
    least_correlation,
    most_loss,
    *,
    looks=True,
    pooled=False,
    of=ranks,
    bad=np.isfinite,
):
    if looks and not bad(exported).all():
        return ["finite"]
    pairs = [(reference.ravel(), exported.ravel())] if pooled else list(zip(reference, exported, strict=True))
    correlation = np.mean([np.corrcoef(of(one), of(other))[0, 1] for one, other in pairs])
    both = [
        [metrics.ndcg10(g, scores=s) for g, s in zip(gains, scores, strict=True)] for scores in (reference, exported)
    ]
    fails = {
        "difference": abs(exported - reference).max() > largest,
        "rank correlation": correlation < least_correlation,
        "NDCG@10": np.mean(both[0]) - np.mean(both[1]) > most_loss,
    }
    return [name for name, one in fails.items() if one]


def gate_that_nan_passes(reference, exported, gains, largest, least_correlation, most_loss):
    if np.isinf(exported).any():
        return ["finite"]
    if np.isnan(exported).any():
        return [name for name in ("difference",) if abs(exported - reference).max() > largest]
    return gate(reference, exported, gains, largest, least_correlation, most_loss)


def gate_of_one_list(*arguments, **given):
    return gate(*arguments, **given, pooled=True)


def gate_of_scores(*arguments, **given):
    return gate(*arguments, **given, of=np.asarray)


def gate_of_nan_alone(*arguments, **given):
    return gate(*arguments, **given, bad=lambda exported: ~np.isnan(exported))


WRONG = [
    ("kept_tokens", keep_and_cut_the_product, "only the product is cut"),
    ("kept_tokens", keep_halves, "each text has its half"),
    ("kept_tokens", keep_by_popping, "always the query's"),
    ("kept_tokens", keep_nothing_free, "pairs that fit are made as long"),
    ("fill_form", fill_and_leave_empty, "are left empty"),
    ("fill_form", fill_in_int64, "the runtime takes int32"),
    ("fill_form", fill_and_see_all, "looks at fillers"),
    ("fill_form", fill_by_ids, "known by the id 0"),
    ("score_in_forms", score_as_they_came, "taken as they came"),
    ("score_in_forms", score_in_the_longest, "in the longest form"),
    ("score_in_forms", score_in_sorted_order, "in which they were run"),
    ("score_in_forms", score_and_index_again, "wrong way round"),
    ("failed", gate_that_nan_passes, "a comparison with NaN is False"),
    ("failed", gate_of_one_list, "into one list"),
    ("failed", gate_of_scores, "and not ranks"),
    ("failed", gate_of_nan_alone, "infinity is not"),
]
