"""A made ledger: a baseline, the two references, and two rankers that are cheaper."""

from made import row


def ranker(label, *, usd, ndcg10, low=-0.01, high=0.01, **identity):
    """A row that was priced, on one thread, and judged on test."""
    delta = {"mean": (low + high) / 2, "low": low, "high": high}
    known = {"threads": 1, "split": "test", "n_queries": 1_500, "instance": "c7i.large"} | identity
    return row(label=label, usd_per_million_queries=usd, ndcg10=ndcg10, ndcg10_delta=delta, **known)


def baseline(label="BM25", *, low=-0.17, high=-0.15):
    """A row that was judged on test and never priced."""
    whys = {"usd_per_million_queries": "not timed"}
    known = {"stage": "bm25", "split": "test", "n_queries": 1_500, "threads": 1, "seed": 0}
    delta = {"mean": (low + high) / 2, "low": low, "high": high}
    return row(label=label, ndcg10=0.68, ndcg10_delta=delta, usd_per_million_queries=None, why_null=whys, **known)


TEACHER = ranker("teacher, PyTorch", usd=15.0, ndcg10=0.84)
IN_INT8 = ranker("teacher in int8, untrained", usd=4.5, ndcg10=0.838)
STUDENT = ranker("student", usd=0.6, ndcg10=0.85, stage="student")
PRUNED = ranker("pruned", usd=0.3, ndcg10=0.80, low=-0.05, high=-0.03, stage="pruned")
LEDGER = [baseline(), TEACHER, IN_INT8, STUDENT, PRUNED]
