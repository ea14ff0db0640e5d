"""Rankers: building, training, running and judging a model that scores (query, product) pairs.

`Ranker` (in `ranker`) is the one interface; whatever scores pairs wears it. `models` finds checkpoints and reads and
writes model folders, `runtimes` runs them, `training` and `setting` train, `metrics` and `evaluation` judge.
To be left as they are: a model folder opens in other people's tools; scores do not depend on order or batch; a tie is
worth its expectation. Change a metric or the encoding of pairs, and every recorded figure is of another kind.
"""
