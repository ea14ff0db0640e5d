"""A compiled ranker scores as PyTorch does, compiles when it is opened and never again, and says what it lacks."""

import numpy as np
import pytest
from torch._dynamo.utils import counters
from transformers import BertConfig

from utils.rank import models, runtimes
from utils.speed import compiled

LIMITS = {"threads": 1, "max_tokens": 32, "batch_size": 4}
PAIRS = [("red sofa", "a couch " + "very " * n + "soft") for n in range(9)] + [("lamp", "brass")] * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One narrow layer of random weights: what compiles soonest."""
    config = BertConfig(num_hidden_layers=1, hidden_size=16, intermediate_size=32, num_attention_heads=2, num_labels=1)
    path = tmp_path_factory.mktemp("stages") / "narrow"
    model = models.build_untrained(config, seed=0)
    return models.save(model, tokenizer=models.open_tokenizer(), folder=path, max_tokens=32)


def n_compiled():
    return counters["stats"]["unique_graphs"]


@pytest.mark.skipif(not any(map(compiled.shutil.which, compiled.COMPILERS)), reason="no C++ compiler here")
def test_it_compiles_when_opened_and_no_batch_of_any_size_or_length_compiles_it_again(folder):
    before = n_compiled()
    ranker = compiled.open_compiled(folder, **LIMITS)
    opened = n_compiled()
    exact = runtimes.open_ranker(folder, runtime="pytorch", **LIMITS)
    for pairs in (PAIRS, PAIRS[:1], PAIRS[:5], PAIRS[3:5]):
        assert ranker.score(pairs) == pytest.approx(exact.score(pairs), abs=1e-6)
    assert opened > before and n_compiled() == opened
    assert np.ptp(ranker.score(PAIRS)) > 0 and len(ranker.score([])) == 0


@pytest.mark.parametrize("named", [None, "no-such-compiler"])
def test_without_a_compiler_it_is_refused_with_the_remedy(folder, monkeypatch, named):
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    monkeypatch.setenv("CXX", named) if named else monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ValueError, match=f"needs a C.. compiler, and .*{named or 'g..'}.* install one"):
        compiled.open_compiled(folder, **LIMITS)


def test_the_compiler_that_cxx_names_is_the_one_that_counts(monkeypatch):
    monkeypatch.setenv("CXX", "mine")
    monkeypatch.setattr(compiled.shutil, "which", lambda name: "/bin/mine" if name == "mine" else None)
    compiled.require_compiler()


def test_as_a_runtime_it_reads_what_a_stage_s_folder_has_and_skips_what_nobody_reads(folder):
    engine = compiled.RUNTIME
    assert all((folder / name).is_file() for name in engine.weights) and engine.precision(folder) == "fp32"
    assert engine.skips_unread_work and engine.name == "pytorch_compiled"
