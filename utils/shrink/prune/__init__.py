"""Cutting parts off: words (`vocabulary`), heads and neurons (`pruning`), layers (`depth`), weights (`magnitude`).

Each cut leaves a model that plain `transformers` loads: uniform widths, `pruned_heads` in the configuration.
"""
