"""Making a ranker smaller: `prune`, `distil`, `sparsify`, `quantize`; the recipe that chains them.

`recipe` is the chain as data and `steps` applies it: notebooks and pipeline make their stages through these same
steps, and a test holds both to equal weights, so a step is changed there and nowhere else. The four rooms hold the
techniques, each with its source; they know models and pairs, and neither stages nor ledgers. `levers` applies each
lever alone to a teacher.
"""
