"""Lab 08 as learners get it wrong: (task, function, what the message has to name)."""

import math

import torch


def starts_of(lengths):
    return torch.tensor([0, *torch.cumsum(lengths, 0).tolist()])


def counted(lengths):
    return torch.cat([torch.arange(n) for n in lengths.tolist()])


def unpad_by_ids(input_ids, mask):
    is_real = input_ids != 0
    lengths = is_real.sum(1)
    return input_ids[is_real], starts_of(lengths), counted(lengths)


def unpad_to_lengths(input_ids, mask):
    lengths = mask.sum(1)
    return input_ids[mask.bool()], lengths, counted(lengths)


def unpad_without_an_end(input_ids, mask):
    lengths = mask.sum(1)
    return input_ids[mask.bool()], starts_of(lengths)[:-1], counted(lengths)


def unpad_to_ends(input_ids, mask):
    lengths = mask.sum(1)
    return input_ids[mask.bool()], lengths.cumsum(0), counted(lengths)


def unpad_with_running_positions(input_ids, mask):
    ids = input_ids[mask == 1]
    return ids, starts_of(mask.sum(1)), torch.arange(len(ids))


def unpad_with_columns(input_ids, mask):
    columns = torch.arange(mask.shape[1]).repeat(len(mask), 1)
    return input_ids[mask.bool()], starts_of(mask.sum(1)), columns[mask.bool()]


def unpad_from_1(input_ids, mask):
    return input_ids[mask.bool()], starts_of(mask.sum(1)), mask.cumsum(1)[mask.bool()]


def pieces(packed, starts):
    return packed.tensor_split(starts[1:-1].tolist())


def repack_to_the_right(packed, starts, n_tokens):
    rows = [torch.cat([packed.new_zeros(n_tokens - len(one), packed.shape[1]), one]) for one in pieces(packed, starts)]
    return torch.stack(rows)


def repack_to_the_longest(packed, starts, n_tokens):
    return torch.nn.utils.rnn.pad_sequence(pieces(packed, starts), batch_first=True)


def repack_without_the_last_token(packed, starts, n_tokens):
    padded = torch.zeros(len(starts) - 1, n_tokens, packed.shape[1])
    for i in range(len(starts) - 1):
        for place in range(starts[i], starts[i + 1] - 1):
            padded[i, place - starts[i]] = packed[place]
    return padded


def repack_in_pieces_of_one_length(packed, starts, n_tokens):
    padded = torch.zeros(len(starts) - 1, n_tokens, packed.shape[1])
    padded.view(-1, packed.shape[1])[: len(packed)] = packed
    return padded


def repack_without_the_last_pair(packed, starts, n_tokens):
    return repack_right(packed, starts, n_tokens)[:-1]


def repack_right(packed, starts, n_tokens):
    padded = torch.zeros(len(starts) - 1, n_tokens, packed.shape[1])
    for i, one in enumerate(pieces(packed, starts)):
        padded[i, : len(one)] = one
    return padded


def repack_into_the_argument(packed, starts, n_tokens):
    found = repack_right(packed, starts, n_tokens)
    packed.zero_()
    return found


def blocks_of(starts):
    return torch.block_diag(*[torch.ones(n, n) for n in starts.diff().tolist()]).bool()


def mask_of_zeros_and_minus_inf(starts):
    return torch.zeros(len(blocks_of(starts)), int(starts[-1])).masked_fill(~blocks_of(starts), -torch.inf)


def mask_that_hides(starts):
    return ~blocks_of(starts)


def mask_of_what_was_before(starts):
    return torch.tril(blocks_of(starts))


def mask_one_too_late(starts):
    pair = torch.bucketize(torch.arange(int(starts[-1])), starts)
    return pair[:, None] == pair


def mask_of_equal_pairs(starts):
    length = int(starts[1])
    pair = torch.div(torch.arange(int(starts[-1])), length, rounding_mode="floor")
    return pair.unsqueeze(1) == pair.unsqueeze(0)


def softmax_of_kept_blocks(blocks):
    scores, values = zip(*blocks, strict=True)
    return torch.softmax(torch.cat(scores), 0) @ torch.cat(values)


def softmax_without_a_largest(blocks):
    total = weighted = 0
    for scores, values in blocks:
        total = total + scores.exp().sum()
        weighted = weighted + scores.exp() @ values
    return weighted / total


def softmax_from_0(blocks):
    largest, total, weighted = torch.tensor(0.0), 0, 0
    for scores, values in blocks:
        now = max(largest, scores.max())
        total = total * torch.exp(largest - now) + torch.exp(scores - now).sum()
        weighted = weighted * torch.exp(largest - now) + torch.exp(scores - now) @ values
        largest = now
    return weighted / total


def softmax_of_each_block(blocks):
    found = [torch.softmax(scores, dim=0) @ values for scores, values in blocks]
    return sum(found) / len(found)


def softmax_with_an_old_sum(blocks):
    largest, total, weighted = torch.tensor(-torch.inf), 0, 0
    for scores, values in blocks:
        now = max(largest, scores.max())
        total = total + torch.exp(scores - now).sum()
        weighted = weighted * torch.exp(largest - now) + torch.exp(scores - now) @ values
        largest = now
    return weighted / total


def softmax_with_old_values(blocks):
    largest, total, weighted = torch.tensor(-torch.inf), 0, 0
    for scores, values in blocks:
        now = max(largest, scores.max())
        total = total * torch.exp(largest - now) + torch.exp(scores - now).sum()
        weighted = weighted + torch.exp(scores - now) @ values
        largest = now
    return weighted / total


def bill(traffic, offer, peak_factor, utilisation):
    asked = traffic / 86_400 * peak_factor
    return max(1, math.ceil(asked / (offer["queries_per_s"] * utilisation))) * offer["usd_per_hour"]


def steps(cpu, peak_factor, utilisation, at_most):
    full = 86_400 * cpu["queries_per_s"] * utilisation / peak_factor
    return [math.floor(n * full) + 1 for n in range(1, int(at_most // full) + 1)]


def break_even_in_parts(cpu, card, peak_factor, utilisation, at_most):
    traffic = card["usd_per_hour"] / cpu["usd_per_hour"] * 86_400 * cpu["queries_per_s"] * utilisation / peak_factor
    is_one_card_enough = traffic * peak_factor <= 86_400 * card["queries_per_s"] * utilisation
    return traffic if is_one_card_enough and traffic <= at_most else None


def break_even_of_the_mean_hour(cpu, card, peak_factor, utilisation, at_most):
    return break_even_right(cpu, card, 1, utilisation, at_most)


def break_even_right(cpu, card, peak_factor, utilisation, at_most):
    if card["usd_per_hour"] < cpu["usd_per_hour"]:
        return 0
    for traffic in steps(cpu, peak_factor, utilisation, at_most):
        if bill(traffic, card, peak_factor, utilisation) < bill(traffic, cpu, peak_factor, utilisation):
            return traffic
    return None


def break_even_of_one_card(cpu, card, peak_factor, utilisation, at_most):
    if card["usd_per_hour"] < cpu["usd_per_hour"]:
        return 0
    for traffic in steps(cpu, peak_factor, utilisation, at_most):
        if card["usd_per_hour"] < bill(traffic, cpu, peak_factor, utilisation):
            return traffic
    return None


def break_even_with_equal_bills(cpu, card, peak_factor, utilisation, at_most):
    if card["usd_per_hour"] < cpu["usd_per_hour"]:
        return 0
    for traffic in steps(cpu, peak_factor, utilisation, at_most):
        if bill(traffic, card, peak_factor, utilisation) <= bill(traffic, cpu, peak_factor, utilisation):
            return traffic
    return None


def break_even_without_none(cpu, card, peak_factor, utilisation, at_most):
    found = break_even_right(cpu, card, peak_factor, utilisation, at_most)
    return at_most if found is None else found


def break_even_a_second(cpu, card, peak_factor, utilisation, at_most):
    found = break_even_right(cpu, card, peak_factor, utilisation, at_most)
    return None if found is None else found / 86_400


WRONG = [
    ("unpad", unpad_by_ids, "by the id 0"),
    ("unpad", unpad_to_lengths, "the lengths of the pairs"),
    ("unpad", unpad_without_an_end, "where the last pair ends"),
    ("unpad", unpad_to_ends, "do not begin with 0"),
    ("unpad", unpad_with_running_positions, "run on from pair to pair"),
    ("unpad", unpad_with_columns, "columns of the batch"),
    ("unpad", unpad_from_1, "begin with 1"),
    ("repack", repack_to_the_right, "fillers stand in front"),
    ("repack", repack_to_the_longest, "as wide as the longest"),
    ("repack", repack_without_the_last_token, "loses its last token"),
    ("repack", repack_in_pieces_of_one_length, "pieces of one length"),
    ("repack", repack_without_the_last_pair, "the last pair is left out"),
    ("repack", repack_into_the_argument, "`packed` is changed"),
    ("block_mask", mask_of_zeros_and_minus_inf, "True and False"),
    ("block_mask", mask_that_hides, "must not see each other"),
    ("block_mask", mask_of_what_was_before, "only those before it"),
    ("block_mask", mask_one_too_late, "the first token of a pair"),
    ("block_mask", mask_of_equal_pairs, "as long as the first"),
    ("online_softmax", softmax_of_kept_blocks, "the next one takes their memory"),
    ("online_softmax", softmax_without_a_largest, "of scores as they are"),
    ("online_softmax", softmax_from_0, "begins with 0"),
    ("online_softmax", softmax_of_each_block, "a softmax of its own"),
    ("online_softmax", softmax_with_an_old_sum, "the sum of the exponentials is not scaled"),
    ("online_softmax", softmax_with_old_values, "the sum of the values is not scaled"),
    ("break_even", break_even_in_parts, "rented in parts"),
    ("break_even", break_even_of_the_mean_hour, "the mean hour"),
    ("break_even", break_even_of_one_card, "one card is enough"),
    ("break_even", break_even_with_equal_bills, "an equal bill"),
    ("break_even", break_even_without_none, "the card never pays"),
    ("break_even", break_even_a_second, "and not a day"),
]
