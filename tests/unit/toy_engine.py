"""A toy engine in one file: it compares the mean word vectors of query and product."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from utils.rank import models
from utils.rank.runtimes.base import Runtime

WEIGHTS = "toy/vectors.safetensors"


class ToyRanker:
    def __init__(self, folder, *, max_tokens, batch_size):
        _, self.tokenizer = models.described(folder)
        self.vectors, self.max_tokens, self.batch_size = load_file(folder / WEIGHTS)["vectors"], max_tokens, batch_size

    def score(self, pairs):
        return np.array([self._vector(query) @ self._vector(product) for query, product in pairs], dtype=np.float32)

    def _vector(self, text):
        ids = self.tokenizer(text, truncation=True, max_length=self.max_tokens)["input_ids"]
        return self.vectors[ids].mean(axis=0)


def open_toy(folder: Path, *, threads, max_tokens, batch_size, device):
    return ToyRanker(folder, max_tokens=max_tokens, batch_size=batch_size)


def export_toy(folder: Path):
    model, _ = models.load(folder)
    (folder / "toy").mkdir(exist_ok=True)
    save_file({"vectors": model.get_input_embeddings().weight.detach().numpy()}, folder / WEIGHTS)


RUNTIME = Runtime(
    name="toy",
    library="numpy",
    distribution="numpy",
    weights=(WEIGHTS,),
    open=open_toy,
    precision=lambda folder: "fp32",
    export=export_toy,
)
