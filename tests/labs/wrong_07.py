"""Lab 07 as learners get it wrong: (task, function, what the message has to name)."""

import numpy as np

CLS, SEP = 101, 102


def buckets_as_given(n_tokens, budget):
    batches, batch = [], []
    for row, length in enumerate(n_tokens):
        if batch and max(length, *(n_tokens[one] for one in batch)) * (len(batch) + 1) > budget:
            batches.append(batch)
            batch = []
        batch.append(row)
    return [*batches, batch] if batch else batches


def buckets_of_tokens(n_tokens, budget):
    batches, sums = [], []
    for row in np.argsort(n_tokens, kind="stable").tolist():
        if batches and sums[-1] + n_tokens[row] <= budget:
            batches[-1].append(row)
            sums[-1] += n_tokens[row]
        else:
            batches.append([row])
            sums.append(n_tokens[row])
    return batches


def buckets_without_the_last(n_tokens, budget):
    batches, batch = [], []
    for row in sorted(range(len(n_tokens)), key=n_tokens.__getitem__):
        if batch and n_tokens[row] * (len(batch) + 1) > budget:
            batches.append(batch)
            batch = []
        batch.append(row)
    return batches


def buckets_below_the_budget(n_tokens, budget):
    batches = []
    for row in sorted(range(len(n_tokens)), key=n_tokens.__getitem__):
        if not batches or n_tokens[row] * (len(batches[-1]) + 1) >= budget:
            batches.append([])
        batches[-1].append(row)
    return batches


def buckets_of_lengths(n_tokens, budget):
    batches = []
    for length in sorted(n_tokens):
        if not batches or length * (len(batches[-1]) + 1) > budget:
            batches.append([])
        batches[-1].append(length)
    return batches


def buckets_that_sort_in_place(n_tokens, budget):
    n_tokens.sort()
    return [[row] for row in range(len(n_tokens))]


def laid_out(query, product, width):
    ids = [CLS, *query, SEP, *product, SEP]
    types = [0] * (len(query) + 2) + [1] * (len(product) + 1)
    more = [0] * (width - len(ids))
    return ids + more, types + more, [1] * len(ids) + more


def join_and_cut_the_product(query_ids, product_ids, max_tokens, width):
    query = query_ids[: max_tokens - 3]
    return laid_out(query, product_ids[: max_tokens - 3 - len(query)], width)


def join_and_cut_the_row(query_ids, product_ids, max_tokens, width):
    whole = laid_out(query_ids, product_ids, max(width, len(query_ids) + len(product_ids) + 3))
    return tuple(column[:width] for column in whole)


def join_and_pop(query_ids, product_ids, max_tokens, width):
    query, product = list(query_ids), list(product_ids)
    while len(query) + len(product) + 3 > max_tokens:
        (query if len(query) > len(product) else product).pop()
    return laid_out(query, product, width)


def join_and_pop_the_query(query_ids, product_ids, max_tokens, width):
    query, product = list(query_ids), list(product_ids)
    while len(query) + len(product) + 3 > max_tokens:
        (query if len(query) >= len(product) else product).pop()
    return laid_out(query, product, width)


def join_halves(query_ids, product_ids, max_tokens, width):
    room = max_tokens - 3
    if len(query_ids) + len(product_ids) <= room:
        return laid_out(query_ids, product_ids, width)
    return laid_out(query_ids[: room // 2], product_ids[: room - room // 2], width)


def kept(query_ids, product_ids, room):
    if len(query_ids) + len(product_ids) <= room:
        return query_ids, product_ids
    n = min(len(query_ids), len(product_ids), room // 2)
    if len(query_ids) > len(product_ids):
        return query_ids[: room - n], product_ids[:n]
    return query_ids[:n], product_ids[: room - n]


def join_without_room_for_special_tokens(query_ids, product_ids, max_tokens, width):
    ids, types, mask = laid_out(*kept(query_ids, product_ids, max_tokens), width)
    return ids, types, mask


def join_with_a_turned_type(query_ids, product_ids, max_tokens, width):
    query, product = kept(query_ids, product_ids, max_tokens - 3)
    ids, types, mask = laid_out(query, product, width)
    types[len(query) + 1] = 1
    return ids, types, mask


def join_with_a_full_mask(query_ids, product_ids, max_tokens, width):
    ids, types, _ = laid_out(*kept(query_ids, product_ids, max_tokens - 3), width)
    return ids, types, [1] * width


def order_of_the_second(first_scores, rescore, depth):
    scores = [-float(rescore([number])[0]) for number in range(len(first_scores))]
    return np.argsort(scores, kind="stable")


def order_on_one_scale(first_scores, rescore, depth):
    scores = first_scores.copy()
    best = np.argsort(-scores, kind="stable")[:depth]
    scores[best] = rescore(best)
    return np.argsort(-scores, kind="stable")


def order_of_places(first_scores, rescore, depth):
    order = np.argsort(-first_scores, kind="stable")
    return np.append(np.argsort(-rescore(order[:depth]), kind="stable"), order[depth:])


def order_without_the_rest(first_scores, rescore, depth):
    best = np.argsort(-first_scores, kind="stable")[:depth]
    return best[np.argsort(-rescore(best), kind="stable")]


def order_of_the_first_in_the_list(first_scores, rescore, depth):
    best = np.arange(len(first_scores))[:depth]
    rest = [one for one in np.argsort(-first_scores, kind="stable") if one not in best]
    return [*best[np.argsort(-rescore(best), kind="stable")], *rest]


def order_with_the_list_behind(first_scores, rescore, depth):
    best = np.argsort(-first_scores, kind="stable")[:depth]
    rest = [one for one in range(len(first_scores)) if one not in best]
    return [*best[np.argsort(-rescore(best), kind="stable")], *rest]


def order_of_scores_asked_twice(first_scores, rescore, depth):
    again = rescore(np.arange(len(first_scores)))
    order = np.argsort(-first_scores, kind="stable")
    return [*sorted(order[:depth], key=lambda one: -again[one]), *order[depth:]]


def depth_of_the_mean(ndcg_by_depth, whole, draws):
    return min((d for d, values in ndcg_by_depth.items() if values.mean() >= 0.99 * whole.mean()), default=None)


def low_end(values, whole, draws):
    return np.quantile(values[draws].mean(axis=1) / whole[draws].mean(axis=1), 0.025)


def depth_of_the_interval(ndcg_by_depth, whole, draws):
    return min((d for d, values in ndcg_by_depth.items() if low_end(values, whole, draws) >= 0.98), default=None)


def depth_that_is_largest(ndcg_by_depth, whole, draws):
    for depth in sorted(ndcg_by_depth, reverse=True):
        values = ndcg_by_depth[depth]
        if values.mean() >= 0.99 * whole.mean() and low_end(values, whole, draws) >= 0.98:
            return depth
    return None


def depth_of_unpaired_draws(ndcg_by_depth, whole, draws):
    for depth, values in sorted(ndcg_by_depth.items()):
        low = np.quantile(values[draws].mean(axis=1), 0.025) / whole.mean()
        if values.mean() >= 0.99 * whole.mean() and low >= 0.98:
            return depth
    return None


def depth_of_each_query(ndcg_by_depth, whole, draws):
    for depth, values in sorted(ndcg_by_depth.items()):
        shares = values / whole
        if shares.mean() >= 0.99 and np.quantile(shares[draws].mean(axis=1), 0.025) >= 0.98:
            return depth
    return None


def depth_that_is_first(ndcg_by_depth, whole, draws):
    for depth, values in ndcg_by_depth.items():
        if values.mean() >= 0.99 * whole.mean() and low_end(values, whole, draws) >= 0.98:
            return depth
    return None


def depth_or_the_deepest(ndcg_by_depth, whole, draws):
    for depth, values in sorted(ndcg_by_depth.items()):
        if values.mean() >= 0.99 * whole.mean() and low_end(values, whole, draws) >= 0.98:
            return depth
    return max(ndcg_by_depth)


def stop_at_the_best(scores, bounds, block, n_best):
    for end in range(block, len(scores), block):
        if end >= n_best and scores[:end].max() >= bounds[end:].max():
            return end
    return len(scores)


def stop_at_the_next_bound(scores, bounds, block, n_best):
    for end in range(block, len(scores), block):
        if end >= n_best and sorted(scores[:end], reverse=True)[n_best - 1] >= bounds[end]:
            return end
    return len(scores)


def stop_too_soon(scores, bounds, block, n_best):
    for end in range(block, len(scores), block):
        if sorted(scores[:end], reverse=True)[:n_best][-1] >= bounds[end:].max():
            return end
    return len(scores)


def stop_within_a_block(scores, bounds, block, n_best):
    for end in range(n_best, len(scores)):
        if np.sort(scores[:end])[-n_best] >= bounds[end:].max():
            return end
    return len(scores)


def stop_when_it_is_surely_more(scores, bounds, block, n_best):
    for end in range(block, len(scores), block):
        if end >= n_best and np.sort(scores[:end])[-n_best] > bounds[end:].max():
            return end
    return len(scores)


def stop_and_count_blocks(scores, bounds, block, n_best):
    for n, end in enumerate(range(block, len(scores), block), 1):
        if end >= n_best and np.sort(scores[:end])[-n_best] >= bounds[end:].max():
            return n
    return -(-len(scores) // block)


WRONG = [
    ("length_buckets", buckets_as_given, "in the order given"),
    ("length_buckets", buckets_of_tokens, "fillers are free"),
    ("length_buckets", buckets_without_the_last, "the last batch is lost"),
    ("length_buckets", buckets_below_the_budget, "to its last token"),
    ("length_buckets", buckets_of_lengths, "the lengths are given"),
    ("length_buckets", buckets_that_sort_in_place, "`n_tokens` is changed"),
    ("join", join_and_cut_the_product, "only the product is cut"),
    ("join", join_and_cut_the_row, "its last \\[SEP\\] with it"),
    ("join", join_and_pop, "always the query's"),
    ("join", join_and_pop_the_query, "always the product's"),
    ("join", join_halves, "each text has its half"),
    ("join", join_without_room_for_special_tokens, "special tokens are not counted"),
    ("join", join_with_a_turned_type, "the first \\[SEP\\] has the type"),
    ("join", join_with_a_full_mask, "looks at fillers"),
    ("cascade_order", order_of_the_second, "the second ranker orders all"),
    ("cascade_order", order_on_one_scale, "compared with each other"),
    ("cascade_order", order_of_places, "places among the best"),
    ("cascade_order", order_without_the_rest, "are lost"),
    ("cascade_order", order_of_the_first_in_the_list, "the first products of the list"),
    ("cascade_order", order_with_the_list_behind, "stand in the order of the list"),
    ("cascade_order", order_of_scores_asked_twice, "every product is scored again"),
    ("choose_depth", depth_of_the_mean, "the mean alone decides"),
    ("choose_depth", depth_of_the_interval, "the interval alone decides"),
    ("choose_depth", depth_that_is_largest, "the largest depth"),
    ("choose_depth", depth_of_unpaired_draws, "for the cascade alone"),
    ("choose_depth", depth_of_each_query, "query by query"),
    ("choose_depth", depth_that_is_first, "the first depth in the dictionary"),
    ("choose_depth", depth_or_the_deepest, "where none keeps enough"),
    ("stop_after", stop_at_the_best, "the best score decides"),
    ("stop_after", stop_at_the_next_bound, "only the next candidate's bound"),
    ("stop_after", stop_too_soon, "before there are as many"),
    ("stop_after", stop_within_a_block, "after every candidate"),
    ("stop_after", stop_when_it_is_surely_more, "can only draw level"),
    ("stop_after", stop_and_count_blocks, "blocks are counted"),
]
