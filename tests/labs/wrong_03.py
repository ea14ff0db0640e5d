"""Lab 03 as learners get it wrong: (task, function, what the message has to name)."""

import numpy as np


def zeros_with_signs(weight, sparsity):
    found = weight.copy().ravel()
    found[np.argsort(found)[: round(sparsity * found.size)]] = 0
    return found.reshape(weight.shape)


def zeros_by_row(weight, sparsity):
    found = weight.copy()
    for row in found:
        row[np.argsort(abs(row))[: round(sparsity * len(row))]] = 0
    return found


def zeros_for_the_largest(weight, sparsity):
    found = weight.copy().ravel()
    found[np.argsort(-abs(found))[: round(sparsity * found.size)]] = 0
    return found.reshape(weight.shape)


def zeros_below_a_share(weight, sparsity):
    found = weight.copy()
    found[abs(found) < sparsity * abs(found).max()] = 0
    return found


def zeros_in_place(weight, sparsity):
    flat = weight.reshape(-1)
    flat[np.argsort(abs(flat))[: round(sparsity * flat.size)]] = 0
    return weight


def split(values, n_heads):
    return np.split(values, n_heads, axis=2)


def importance_of_magnitudes(outputs, gradients, n_heads):
    return np.array([abs(one).sum(axis=(1, 2)).mean() for one in split(outputs * gradients, n_heads)])


def importance_that_cancels(outputs, gradients, n_heads):
    return np.array([abs(one.sum(axis=(1, 2)).mean()) for one in split(outputs * gradients, n_heads)])


def importance_interleaved(outputs, gradients, n_heads):
    products = outputs * gradients
    return np.array([abs(products[:, :, head::n_heads].sum(axis=(1, 2))).mean() for head in range(n_heads)])


def importance_of_gradients(outputs, gradients, n_heads):
    return np.array([abs(one.sum(axis=(1, 2))).mean() for one in split(gradients, n_heads)])


def importance_with_signs(outputs, gradients, n_heads):
    return np.array([one.sum(axis=(1, 2)).mean() for one in split(outputs * gradients, n_heads)])


INWARDS = ("query", "key", "value")


def rows_of(layer, heads, n_heads):
    d_head = layer["query"].shape[0] // n_heads
    return [row for head in heads for row in range(head * d_head, head * d_head + d_head)]


def cut(layer, rows):
    found = {name: layer[name][rows] for name in INWARDS}
    found |= {f"{name}_bias": layer[f"{name}_bias"][rows] for name in INWARDS}
    return found | {"output": layer["output"][:, rows], "output_bias": layer["output_bias"]}


def heads_that_should_leave(layer, keep, n_heads):
    return cut(layer, rows_of(layer, [head for head in range(n_heads) if head not in keep], n_heads))


def heads_of_zeros(layer, keep, n_heads):
    found = {name: values.copy() for name, values in layer.items()}
    gone = rows_of(layer, [head for head in range(n_heads) if head not in keep], n_heads)
    for name in INWARDS:
        found[name][gone], found[f"{name}_bias"][gone] = 0, 0
    found["output"][:, gone] = 0
    return found


def heads_with_rows_of_the_output(layer, keep, n_heads):
    rows = rows_of(layer, keep, n_heads)
    return cut(layer, rows) | {"output": layer["output"][rows]}


def heads_with_a_cut_bias(layer, keep, n_heads):
    rows = rows_of(layer, keep, n_heads)
    return cut(layer, rows) | {"output_bias": layer["output_bias"][rows]}


def words_with_old_ids(table, keep, input_ids):
    known = np.vectorize(lambda one: one if one in keep else 0)
    return table[keep], known(input_ids)


def words_of_zeros(table, keep, input_ids):
    found = table.copy()
    found[[row for row in range(len(table)) if row not in keep]] = 0
    return found, np.vectorize(lambda one: one if one in keep else 0)(input_ids)


def words_in_the_old_order(table, keep, input_ids):
    order = sorted(keep)
    return table[keep], np.vectorize(lambda one: order.index(one) if one in keep else 0)(input_ids)


def zeros_cut_off(weight, sparsity):
    found = weight.copy().ravel()
    found[np.argsort(abs(found))[: int(sparsity * found.size)]] = 0
    return found.reshape(weight.shape)


def heads_of_zeros_with_their_biases(layer, keep, n_heads):
    return heads_of_zeros(layer, keep, n_heads) | {f"{name}_bias": layer[f"{name}_bias"] for name in INWARDS}


def words_all_sorted(table, keep, input_ids):
    order = sorted(keep)
    return table[order], np.vectorize(lambda one: order.index(one) if one in keep else 0)(input_ids)


WRONG = [
    ("zero_smallest", zeros_cut_off, "cut off and not rounded"),
    ("cut_heads", heads_of_zeros_with_their_biases, "biases are not"),
    ("cut_words", words_all_sorted, "rows and ids follow"),
    ("zero_smallest", zeros_with_signs, "with their sign"),
    ("zero_smallest", zeros_by_row, "every row loses"),
    ("zero_smallest", zeros_for_the_largest, "the largest weights become zero"),
    ("zero_smallest", zeros_below_a_share, "of the largest weight"),
    ("zero_smallest", zeros_in_place, "work on a copy"),
    ("head_importance", importance_of_magnitudes, "before a head's numbers"),
    ("head_importance", importance_that_cancels, "so that lists cancel"),
    ("head_importance", importance_interleaved, "interleaved"),
    ("head_importance", importance_of_gradients, "the gradient counts alone"),
    ("head_importance", importance_with_signs, "never taken off"),
    ("cut_heads", heads_that_should_leave, "are the ones that leave"),
    ("cut_heads", heads_of_zeros, "nothing shrinks"),
    ("cut_heads", heads_with_rows_of_the_output, "loses rows"),
    ("cut_heads", heads_with_a_cut_bias, "the bias of the output"),
    ("cut_words", words_with_old_ids, "into the old table"),
    ("cut_words", words_of_zeros, "keeps its size"),
    ("cut_words", words_in_the_old_order, "the order of the old table"),
]
