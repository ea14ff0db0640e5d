"""Students: how one starts (`students`), the pairs its teacher scores for it (`scored_pairs`), what it copies
(`distil_losses`, `matching`), and its training (`distillation`).

No text of a valid or test query is ever among the pairs; `scored_pairs` asserts it.
"""
