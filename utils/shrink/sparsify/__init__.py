"""Zeros: patterns (`structured_sparsity`), bytes (`sparsity`), products that skip them (`sparse_products`).

`sparse_folder` is a format of our own, versioned and with a checksum: change it only with its version.
"""
