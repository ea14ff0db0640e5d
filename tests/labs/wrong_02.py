"""Lab 02 as learners get it wrong: (task, function, what the message has to name)."""

import math

import numpy as np


def macs_of_projections_alone(n_tokens, d_model, n_heads):
    return 4 * n_tokens * d_model * d_model


def macs_of_q_k_and_v(n_tokens, d_model, n_heads):
    return 3 * n_tokens * d_model * d_model + 2 * n_tokens * n_tokens * d_model


def macs_times_heads(n_tokens, d_model, n_heads):
    return 4 * n_tokens * d_model * d_model + n_heads * 2 * n_tokens * n_tokens * d_model


def macs_of_scores_alone(n_tokens, d_model, n_heads):
    head = d_model // n_heads
    return 4 * n_tokens * d_model * d_model + n_heads * n_tokens * n_tokens * head


def flops_for_macs(n_tokens, d_model, n_heads):
    return 8 * n_tokens * d_model * d_model + 4 * n_tokens * n_tokens * d_model


def padded_as_they_come(n_tokens, batch_size):
    found = 0
    for first in range(0, len(n_tokens), batch_size):
        batch = n_tokens[first : first + batch_size]
        found += len(batch) * max(batch)
    return found


def padded_to_the_longest_of_all(n_tokens, batch_size):
    return len(n_tokens) * max(n_tokens)


def padded_to_nothing(n_tokens, batch_size):
    return int(np.sum(n_tokens))


def padded_with_a_full_last_batch(n_tokens, batch_size):
    ordered = sorted(n_tokens)
    return sum(batch_size * ordered[min(i + batch_size, len(ordered)) - 1] for i in range(0, len(ordered), batch_size))


def padded_and_sorted_in_place(n_tokens, batch_size):
    n_tokens.sort()
    return padded_as_they_come(n_tokens, batch_size)


def interval_of_medians(slow_ms, fast_ms, draws):
    ratios = np.median(slow_ms[draws], axis=1) / np.median(fast_ms[draws], axis=1)
    return np.median(slow_ms) / np.median(fast_ms), np.percentile(ratios, 2.5), np.percentile(ratios, 97.5)


def interval_of_means(slow_ms, fast_ms, draws):
    ratios = slow_ms / fast_ms
    return ratios.mean(), *np.percentile(ratios[draws].mean(1), [2.5, 97.5])


def interval_upside_down(slow_ms, fast_ms, draws):
    ratios = fast_ms / slow_ms
    return np.median(ratios), *np.percentile(np.median(ratios[draws], 1), [2.5, 97.5])


def interval_of_turns(slow_ms, fast_ms, draws):
    ratios = slow_ms / fast_ms
    return np.median(ratios), *np.percentile(ratios, [2.5, 97.5])


def fleet_of_the_mean_hour(queries_per_day, peak_factor, pairs_per_s, n_candidates, utilisation, usd_per_hour):
    n = math.ceil(queries_per_day * n_candidates / 86400 / (pairs_per_s * utilisation))
    return n, n * usd_per_hour * 720


def fleet_without_room(queries_per_day, peak_factor, pairs_per_s, n_candidates, utilisation, usd_per_hour):
    n = math.ceil(peak_factor * queries_per_day * n_candidates / 86400 / pairs_per_s)
    return n, n * usd_per_hour * 720


def fleet_that_does_more_than_it_can(
    queries_per_day, peak_factor, pairs_per_s, n_candidates, utilisation, usd_per_hour
):
    n = math.ceil(peak_factor * queries_per_day * n_candidates / 86400 / pairs_per_s * utilisation)
    return n, n * usd_per_hour * 720


def fleet_in_parts(queries_per_day, peak_factor, pairs_per_s, n_candidates, utilisation, usd_per_hour):
    n = peak_factor * queries_per_day * n_candidates / 86400 / (pairs_per_s * utilisation)
    return n, n * usd_per_hour * 720


def padded_from_the_longest(n_tokens, batch_size):
    ordered = sorted(n_tokens)[::-1]
    batches = [ordered[first : first + batch_size] for first in range(0, len(ordered), batch_size)]
    return sum(batch[0] * len(batch) for batch in batches)


def fleet_with_one_more(queries_per_day, peak_factor, pairs_per_s, n_candidates, utilisation, usd_per_hour):
    n = int(queries_per_day / 86_400 * peak_factor / (pairs_per_s / n_candidates * utilisation)) + 1
    return n, n * usd_per_hour * 720


WRONG = [
    ("padded_tokens", padded_from_the_longest, "the longest sequences come first"),
    ("fleet", fleet_with_one_more, "one instance is added"),
    ("attention_macs", macs_of_projections_alone, "the products between tokens are left out"),
    ("attention_macs", macs_of_q_k_and_v, "four projections"),
    ("attention_macs", macs_times_heads, "every head is as wide"),
    ("attention_macs", macs_of_scores_alone, "one of the two products"),
    ("attention_macs", flops_for_macs, "counted as two"),
    ("padded_tokens", padded_as_they_come, "the order in which they came"),
    ("padded_tokens", padded_to_the_longest_of_all, "longest sequence of all"),
    ("padded_tokens", padded_to_nothing, "padding is not counted"),
    ("padded_tokens", padded_with_a_full_last_batch, "a last batch that is not full"),
    ("padded_tokens", padded_and_sorted_in_place, "work on a copy"),
    ("ratio_interval", interval_of_medians, "no longer cancels"),
    ("ratio_interval", interval_of_means, "the mean of the turns"),
    ("ratio_interval", interval_upside_down, "upside down"),
    ("ratio_interval", interval_of_turns, "single turns"),
    ("fleet", fleet_of_the_mean_hour, "the mean hour"),
    ("fleet", fleet_without_room, "busy all the time"),
    ("fleet", fleet_that_does_more_than_it_can, "answer more"),
    ("fleet", fleet_in_parts, "a part of an instance"),
]
