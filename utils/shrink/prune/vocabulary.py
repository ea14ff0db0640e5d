"""Cutting what a ranker carries for texts it never meets: rows of the embedding table, and positions past the limit.

The embedding table is half of a small model's parameters, and a shop's language needs a part of it. No multiplication
is saved: a look-up costs the same in a short table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.rank import tokens

TOKEN_IDS = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")  # that a config may hold


def kept_tokens(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> list[int]:
    """Ids of the tokens to keep, ascending: those that the texts use, and a safety set for all other texts.

    The safety set holds the special tokens, every single character of the vocabulary, digits among them, at the
    beginning of a word and within one (`x` and `##x`), and the pieces of two characters within a word (`##xy`), which
    are few and spell typing errors; also what cannot be written with these. So a word of known characters is still
    tokenized, in smaller pieces where its own are gone, and never becomes [UNK].

    Raises:
        ValueError: not a WordPiece tokenizer.
    """
    state = _state(tokenizer)
    vocab, prefix = state["model"]["vocab"], state["model"]["continuing_subword_prefix"]
    backend = _copy(tokenizer, tokenizer.backend_tokenizer.to_str())  # whose settings may be changed
    backend.no_padding()
    backend.no_truncation()
    used: set[int] = set()
    for encoding in tokens.encodings(backend, dict.fromkeys(texts)):
        used.update(encoding.ids)
    safe = {token_id for token, token_id in vocab.items() if _is_safe(token, vocab=vocab, prefix=prefix)}
    return sorted(used | safe | set(tokenizer.all_special_ids))


def keep_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, keep: Sequence[int]
) -> PreTrainedTokenizerBase:
    """Cut the embedding table, in place, to the rows `keep`, and give the tokenizer that goes with it.

    A text that uses only kept tokens scores as before, to the bit. WordPiece takes, again and again, the longest token
    that begins what is left of a word. If that token is kept it is still the longest, since cutting adds none; so the
    tokens are the same, and each has the same row in a table with fewer rows.

    Args:
        keep: ids of the tokenizer, as `kept_tokens` gives them; the order of the tokens does not change.

    Returns:
        A new tokenizer, whose `save_pretrained` writes a `tokenizer.json` and a `vocab.txt` that agree.

    Raises:
        ValueError: not a WordPiece tokenizer, an id that it does not have, or a special token that would go.

    Source: Abdaoui et al., "Load What You Need: Smaller Versions of Multilingual BERT", 2020,
    https://arxiv.org/abs/2010.05609
    """
    new_id = _new_ids(tokenizer, keep=keep)
    pruned = _renumbered(tokenizer, new_id=new_id)
    rows = torch.tensor(list(new_id))
    old = model.get_input_embeddings()
    new = nn.Embedding(len(rows), old.embedding_dim, padding_idx=new_id.get(old.padding_idx), dtype=old.weight.dtype)
    new.weight = nn.Parameter(old.weight.detach()[rows.to(old.weight.device)].clone())
    model.set_input_embeddings(new)
    model.config.vocab_size = len(rows)
    for name in TOKEN_IDS:
        if getattr(model.config, name, None) is not None:
            setattr(model.config, name, new_id.get(getattr(model.config, name)))
    return pruned


def prune_positions(model: PreTrainedModel, *, max_tokens: int) -> PreTrainedModel:
    """Cut the position embeddings of a BERT, in place, to the `max_tokens` that its pairs are cut to anyway.

    Pairs up to that length score as before, to the bit; a longer one can no longer be scored at all.

    Raises:
        ValueError: a model without a table of absolute positions counted from 0, or fewer than one position.
    """
    table = getattr(model.base_model.embeddings, "position_embeddings", None)
    if model.config.model_type != "bert" or table is None:
        raise ValueError(f"a {model.config.model_type} has no BERT position table; leave its positions as they are")
    if max_tokens < 1:
        raise ValueError(f"max_tokens is {max_tokens}; keep at least one position")
    n_kept = min(max_tokens, table.num_embeddings)
    table.weight = nn.Parameter(table.weight.detach()[:n_kept].clone())
    table.num_embeddings = model.config.max_position_embeddings = n_kept
    for name in ("position_ids", "token_type_ids"):  # (1, n_positions), which the model cuts to a batch's length
        buffer = getattr(model.base_model.embeddings, name)
        model.base_model.embeddings.register_buffer(name, buffer[:, :n_kept].clone(), persistent=False)
    return model


def _copy(tokenizer: PreTrainedTokenizerBase, state: str):
    """A tokenizer of the library underneath, made from a text like that of `tokenizer.json`."""
    return type(tokenizer.backend_tokenizer).from_str(state)


def _state(tokenizer: PreTrainedTokenizerBase) -> dict:
    """What `tokenizer.json` says; ValueError when it is not WordPiece's."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state = json.loads(backend.to_str()) if backend else {"model": {"type": "slow tokenizer"}}
    if state["model"]["type"] != "WordPiece":
        raise ValueError(
            f"{type(tokenizer).__name__}: its vocabulary is a {state['model']['type']}, and only a fast WordPiece "
            "tokenizer, as BERT has, can be cut here; keep this one whole"
        )
    return state


def _is_safe(token: str, *, vocab: dict[str, int], prefix: str) -> bool:
    """Whether a token is short, or cannot be written with tokens of one character."""
    inside = token.startswith(prefix) and len(token) > len(prefix)
    characters = token.removeprefix(prefix) if inside else token
    pieces = [(prefix if inside or place else "") + one for place, one in enumerate(characters)]
    return len(characters) <= (2 if inside else 1) or any(piece not in vocab for piece in pieces)


def _new_ids(tokenizer: PreTrainedTokenizerBase, *, keep: Sequence[int]) -> dict[int, int]:
    """The new id of every kept one, ascending."""
    unknown = sorted(set(keep) - set(tokenizer.get_vocab().values()))
    if unknown:
        raise ValueError(f"keep: the tokenizer has no token {unknown[0]}; take the ids from kept_tokens")
    missing = sorted(set(tokenizer.all_special_ids) - set(keep))
    if missing:
        token = tokenizer.convert_ids_to_tokens(missing[0])
        raise ValueError(f"keep: the special token {token} ({missing[0]}) is not in it; take the ids from kept_tokens")
    return {old: new for new, old in enumerate(sorted(set(keep)))}


def _renumbered(tokenizer: PreTrainedTokenizerBase, *, new_id: dict[int, int]) -> PreTrainedTokenizerBase:
    """The tokenizer with the kept tokens alone, under their new ids."""
    state = _state(tokenizer)
    kept = sorted((new_id[old], token) for token, old in state["model"]["vocab"].items() if old in new_id)
    state["model"]["vocab"] = {token: new for new, token in kept}
    state["added_tokens"] = [
        token | {"id": new_id[token["id"]]} for token in state["added_tokens"] if token["id"] in new_id
    ]
    if state["padding"]:
        state["padding"]["pad_id"] = new_id[state["padding"]["pad_id"]]
    _renumber_frame(state["post_processor"], new_id=new_id)
    options = {name: value for name, value in tokenizer.init_kwargs.items() if name != "name_or_path"}
    return type(tokenizer)(tokenizer_object=_copy(tokenizer, json.dumps(state)), **options)


def _renumber_frame(frame: dict | None, *, new_id: dict[int, int]) -> None:
    """Give [CLS] and [SEP], which the post-processor puts around a pair, their new ids, in place."""
    kind = frame["type"] if frame else None
    if kind == "TemplateProcessing":
        for token in frame["special_tokens"].values():
            token["ids"] = [new_id[old] for old in token["ids"]]
    elif kind == "BertProcessing":
        frame |= {name: [frame[name][0], new_id[frame[name][1]]] for name in ("cls", "sep")}
    else:
        raise ValueError(f"tokenizer.json: the post-processor {kind} is not one of BERT's; keep this tokenizer whole")
