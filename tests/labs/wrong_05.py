"""Lab 05 as learners get it wrong: (task, function, what the message has to name)."""

import numpy as np
import scipy.sparse


def csr_with_counts(matrix):
    found = scipy.sparse.csr_matrix(matrix)
    return found.data, found.indices, (matrix != 0).sum(1)


def csr_without_an_end(matrix):
    found = scipy.sparse.csr_matrix(matrix)
    return found.data, found.indices, found.indptr[:-1]


def csc_for_csr(matrix):
    found = scipy.sparse.csc_matrix(matrix)
    return found.data, found.indices, found.indptr


def csr_of_flat_places(matrix):
    found = scipy.sparse.csr_matrix(matrix)
    return found.data, np.arange(matrix.size)[matrix.ravel() != 0], found.indptr


def product_by_reduceat(values, columns, row_starts, vector):
    return np.add.reduceat(values * vector[columns], row_starts[:-1])


def product_with_rows(values, columns, row_starts, vector):
    y = np.zeros(len(row_starts) - 1)
    for row in range(len(y)):
        for place in range(row_starts[row], row_starts[row + 1]):
            y[row] += values[place] * vector[row]
    return y


def product_without_the_last(values, columns, row_starts, vector):
    y = np.zeros(len(row_starts) - 1)
    for row in range(len(y)):
        for place in range(row_starts[row], row_starts[row + 1] - 1):
            y[row] += values[place] * vector[columns[place]]
    return y


def break_even_of_values_alone(n_rows, n_columns, value_bytes, index_bytes):
    return (n_rows + 1) * index_bytes / (n_rows * n_columns * value_bytes)


def break_even_without_starts(n_rows, n_columns, value_bytes, index_bytes):
    return 1 - value_bytes / (value_bytes + index_bytes)


def break_even_as_density(n_rows, n_columns, value_bytes, index_bytes):
    cells = n_rows * n_columns
    return (cells * value_bytes - (n_rows + 1) * index_bytes) / (cells * (value_bytes + index_bytes))


def grouped(weight, best):
    mask = np.zeros_like(weight, dtype=bool)
    for row in range(weight.shape[0]):
        for first in range(0, weight.shape[1], 4):
            for place in best(weight[row, first : first + 4]):
                mask[row, first + place] = True
    return mask


def mask_with_signs(weight):
    return grouped(weight, lambda four: np.argsort(-four, kind="stable")[:2])


def mask_of_the_smallest(weight):
    return grouped(weight, lambda four: np.argsort(np.abs(four), kind="stable")[:2])


def mask_of_half(weight):
    order = np.argsort(-np.abs(weight), axis=None, kind="stable")
    mask = np.zeros(weight.size, dtype=bool)
    mask[order[: weight.size // 2]] = True
    return mask.reshape(weight.shape)


def mask_down_the_columns(weight):
    return grouped(weight.T, lambda four: np.argsort(-np.abs(four), kind="stable")[:2]).T


def mask_of_numbers(weight):
    return grouped(weight, lambda four: np.argsort(-np.abs(four), kind="stable")[:2]).astype(float)


WRONG = [
    ("to_csr", csr_with_counts, "how many numbers a row has"),
    ("to_csr", csr_without_an_end, "where the last row ends"),
    ("to_csr", csc_for_csr, "column by column"),
    ("to_csr", csr_of_flat_places, "through the whole matrix"),
    ("csr_product", product_by_reduceat, "an empty row"),
    ("csr_product", product_with_rows, "entry of its row"),
    ("csr_product", product_without_the_last, "the last number of every row"),
    ("break_even", break_even_of_values_alone, "the column of each number costs nothing"),
    ("break_even", break_even_without_starts, "where the rows begin"),
    ("break_even", break_even_as_density, "that are left"),
    ("mask_2_4", mask_with_signs, "with their sign"),
    ("mask_2_4", mask_of_the_smallest, "the two smallest"),
    ("mask_2_4", mask_of_half, "wherever they are"),
    ("mask_2_4", mask_down_the_columns, "down the columns"),
    ("mask_2_4", mask_of_numbers, "True and False"),
]
