"""A ranker as a `torch.export` program in one file: what the converters to LiteRT and ExecuTorch start from.

A program carries its weights and needs neither our code nor transformers where it is read, so a converter in an
environment of its own can open it as long as its PyTorch is the same.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from utils import disk
from utils.rank import first_token, models
from utils.rank.runtimes.in_onnxruntime import quiet_export

NAMES = ("input_ids", "attention_mask", "token_type_ids")
MAX_PAIRS = 16  # that a program with free sizes takes at a time; an engine plans its memory for as many
EXAMPLE = (3, 7)  # n_pairs and n_tokens: unlike numbers, or the exporter takes them for one


class Int8Table(nn.Module):
    """A word table in 8 bits, with one scale for each word: looked up as whole numbers, then scaled.

    A quarter of the bytes; engines that quantize matrix products alone leave the table as it is, and it is large.
    """

    def __init__(self, table: nn.Embedding):
        super().__init__()
        scale = table.weight.detach().abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127  # (n_vocab, 1)
        self.register_buffer("numbers", torch.round(table.weight.detach() / scale).to(torch.int8))  # (n_vocab, d_model)
        self.register_buffer("scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (*ids.shape, d_model), fp32."""
        numbers = nn.functional.embedding(ids, self.numbers).to(torch.float32)
        return numbers * nn.functional.embedding(ids, self.scale)


def write(folder: Path, path: Path, *, ids: torch.dtype = torch.int64, int8_table: bool = False) -> Path:
    """Write the program of a model folder: pairs and tokens are free up to MAX_PAIRS and the folder's token limit.

    Args:
        ids: the type of its three inputs; LiteRT takes int32.
        int8_table: store the word table in 8 bits.

    Raises:
        ValueError: the folder is damaged, or its model is no BERT classifier that reads the first token.

    Source: PyTorch's torch.export, https://docs.pytorch.org/docs/stable/export.html
    """
    model, tokenizer = models.load(folder)
    if not first_token.fits(model):
        raise ValueError(f"{folder}: a {model.config.model_type} is not exported yet; take a BERT with a pooler")
    module = first_token.FirstTokenOnly(model).eval()
    if int8_table:
        module.embeddings.word_embeddings = Int8Table(module.embeddings.word_embeddings)
    free = {0: torch.export.Dim("n_pairs", max=MAX_PAIRS), 1: torch.export.Dim("n_tokens", max=longest(tokenizer))}
    example = tuple(torch.ones(EXAMPLE, dtype=ids) for _ in NAMES)
    with quiet_export(), torch.no_grad(), disk.whole_file(path) as new:
        program = torch.export.export(module, example, dynamic_shapes=dict.fromkeys(NAMES, free))
        torch.export.save(program, new)
    return path


def longest(tokenizer) -> int:
    """The most tokens of a pair that the model folder was made for."""
    return int(tokenizer.model_max_length)
