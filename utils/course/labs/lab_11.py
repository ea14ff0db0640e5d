"""The tasks of lab 11: the late join of stored states, the key of a cached answer, a bounded cache, a reason to refuse
a bundle, and an update that a loss of power does not hurt."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from utils.course.labs import cases_11 as cases
from utils.course.labs import flash
from utils.course.labs import ways_11 as ways
from utils.course.labs.checks import Task


def late_scores(
    query: np.ndarray, weights: np.ndarray, states: np.ndarray, scales: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Scores (n_products,): the weighted sum, over the query's tokens, of the best product token.

    Args:
        query: (n_query, d); weights: (n_query,); states: (n_products, n_tokens, d) int8, each token's times its one of
            `scales` (n_products, n_tokens); mask: (n_products, n_tokens), 1 for a real token, of which each has one.

    Source: Khattab, Zaharia, "ColBERT", SIGIR 2020, https://arxiv.org/abs/2004.12832
    """
    return ways.late_scores(query, weights, states, scales, mask)


def key_of(model_hash: str, catalogue_version: str, query: str) -> str:
    """64 hexadecimal digits, the same where all three parts are; the query as the ranker reads it."""
    return ways.key_of(model_hash, catalogue_version, query)


def reason_to_refuse(manifest: Mapping, files: flash.Files, installed: int | None) -> str | None:
    """The first that holds of "format", "missing", "changed", "mixed" and "older"; None for a bundle to install.

    Args:
        manifest: format, version, and files: the sha256 of each by its name; installed: None before the first.
    """
    return ways.reason_to_refuse(manifest, files, installed)


def install(device: flash.Flash, version: int, files: flash.Files) -> None:
    """Write a bundle's files beside those in use, and then turn the pointer `current` to them in one step."""
    ways.install(device, version, files)


def _shared_keys(function: Callable[..., str], arguments: Mapping[str, Any]) -> dict[str, list[int]]:
    """For each request, which is the first with its key; keys that are none are an error."""
    keys = [function(*request) for request in arguments["requests"]]
    for key in keys:
        if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{64}", key):
            raise ValueError(f"{key!r} came; a key is the 64 hexadecimal digits of a sha256")
    return {"the first request with the same key": [keys.index(key) for key in keys]}


def _lived(cache_type: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, str]:
    """What each `get` of the events gives, in words: a hit, a miss, or bytes that were not put last."""
    cache, last, found = cache_type(arguments["max_bytes"], arguments["ttl_s"]), {}, {}
    for number, (now_s, what, key, *n_bytes) in enumerate(arguments["events"]):
        if what == "put":
            last[key] = bytes([number]) * n_bytes[0]
            cache.put(key, last[key], now_s)
        else:
            value = cache.get(key, now_s)
            told = "a miss" if value is None else "a hit" if value == last.get(key) else "another value"
            found[f"event {number}, get({key!r}) at {now_s} s"] = told
    return found


def _killed_everywhere(function: Callable[..., None], arguments: Mapping[str, Any]) -> dict[str, str]:
    return flash.losses(function, **arguments)


def _only_the_first_of(looks: Sequence[ways.Look], but: ways.Look) -> tuple[ways.Look, ...]:
    return tuple(look for look in looks if look is not but)


TASKS = {
    "late_scores": Task(
        right=late_scores,
        cases=cases.of_states,
        misconceptions={
            "fillers are looked at as well": partial(ways.late_scores, of_tokens=ways.largest_of_all),
            "a filler counts 0, and so more than a real token below it": partial(
                ways.late_scores, of_tokens=ways.fillers_at_zero
            ),
            "all tokens of the product are added up, and not the best one taken": partial(
                ways.late_scores, of_tokens=ways.sum_of_tokens
            ),
            "the mean of the product's tokens is taken, and not the best one": partial(
                ways.late_scores, of_tokens=ways.mean_of_tokens
            ),
            "the token furthest from 0 counts, and not the best one": partial(
                ways.late_scores, of_tokens=ways.furthest_token
            ),
            "every product token takes its best query token, and not the other way round": ways.by_product_token,
            "the query's tokens all weigh the same": partial(ways.late_scores, is_weighted=False),
            "the whole numbers are taken for the states, and the scales left out": partial(
                ways.late_scores, scales_of=lambda scales, mask: np.ones(scales.shape)
            ),
            "a product has one scale for all of its tokens": partial(
                ways.late_scores, scales_of=ways.one_scale_a_product
            ),
        },
    ),
    "key_of": Task(
        right=key_of,
        cases=cases.of_requests,
        outcome=_shared_keys,
        misconceptions={
            "the model is left out of the key": partial(
                ways.key_of, parts_of=lambda model, catalogue, query: (catalogue, query)
            ),
            "the catalogue is left out of the key": partial(
                ways.key_of, parts_of=lambda model, catalogue, query: (model, query)
            ),
            "the query alone is the key": partial(ways.key_of, parts_of=lambda model, catalogue, query: (query,)),
            "the query counts as it was typed": partial(ways.key_of, read=str),
            "letters of either case are the same, and spaces are not": partial(
                ways.key_of, read=lambda query: ways.composed(query).lower()
            ),
            "spaces are removed, those between words as well": partial(
                ways.key_of, read=lambda query: ways.read_query(query).replace(" ", "")
            ),
            "spaces at the ends are removed, and those between words are not made one": partial(
                ways.key_of, read=lambda query: ways.composed(query).lower().strip()
            ),
            "a letter of two characters is not that of one": partial(
                ways.key_of, read=lambda query: " ".join(query.lower().split())
            ),
            "a letter loses its accent": partial(
                ways.key_of, read=lambda query: ways.read_query(query).replace("\u00e9", "e")
            ),
            "words count without their order": partial(
                ways.key_of, read=lambda query: " ".join(sorted(ways.read_query(query).split()))
            ),
            "the parts are put together without a sign between them": partial(
                ways.key_of, join=lambda *parts: "".join(parts)
            ),
        }
        | {
            f"{sign!r} stands between the parts, which may hold it themselves": partial(
                ways.key_of, join=lambda *parts, sign=sign: sign.join(parts)
            )
            for sign in ways.SIGNS
        },
    ),
    "cache": Task(
        right=ways.Cache,
        cases=cases.of_events,
        outcome=_lived,
        misconceptions={
            "the entry that was put first goes, however often it is used": partial(ways.Cache, get_is_use=False),
            "the entry that was used last goes": partial(ways.Cache, newest_goes=True),
            "keys take no room": partial(ways.Cache, size=lambda key, value: len(value)),
            "the cache may never be quite full": partial(ways.Cache, fits=operator.lt),
            "one entry goes, even where that does not make enough room": partial(ways.Cache, goes_on=False),
            "an entry that cannot fit throws out all others": partial(ways.Cache, refuses_large=False),
            "an entry that is replaced still takes its room": partial(ways.Cache, frees_replaced=False),
            "the first value of a key is kept": partial(ways.Cache, replaces=False),
            "nothing ever gets too old": partial(ways.Cache, is_alive=lambda age_s, ttl_s: True),
            "an entry as old as its time to live is given out": partial(ways.Cache, is_alive=operator.le),
            "every get begins the time to live anew": partial(ways.Cache, get_renews=True),
        },
    ),
    "reason_to_refuse": Task(
        right=reason_to_refuse,
        cases=cases.of_bundles,
        misconceptions={
            "a file is taken to be whole because it is there": partial(
                ways.reason_to_refuse, looks=(ways.of_our_format, ways.only_names, ways.made_by_its_model)
            ),
            "only the first file is read": partial(
                ways.reason_to_refuse, looks=(ways.of_our_format, ways.first_file, ways.made_by_its_model)
            ),
            "only files that came are looked at": partial(
                ways.reason_to_refuse, looks=(ways.of_our_format, ways.only_what_came, ways.made_by_its_model)
            ),
            "a file that the manifest does not name is a reason": partial(
                ways.reason_to_refuse, looks=(ways.of_our_format, ways.no_others, ways.made_by_its_model)
            ),
            "nobody asks whose states they are": partial(
                ways.reason_to_refuse, looks=_only_the_first_of(ways.LOOKS, ways.made_by_its_model)
            ),
            "the format is not looked at": partial(
                ways.reason_to_refuse, looks=_only_the_first_of(ways.LOOKS, ways.of_our_format)
            ),
            "the version in use counts as older": partial(ways.reason_to_refuse, is_older=operator.le),
            "any version is as good as a newer one": partial(
                ways.reason_to_refuse, is_older=lambda version, installed: False
            ),
            "versions are compared as text": partial(
                ways.reason_to_refuse, is_older=lambda version, installed: str(version) < str(installed)
            ),
            "the version is looked at before the files": partial(ways.reason_to_refuse, version_first=True),
        },
    ),
    "install": Task(
        right=install,
        cases=cases.of_installs,
        outcome=_killed_everywhere,
        misconceptions={
            "the pointer is turned before the files are there": partial(ways.install, points_first=True),
            "the pointer is turned before the last file is there": ways.flip_before_the_last,
            "the pointer is written over in its place": partial(ways.install, point=ways.point_in_place),
            "the old pointer is removed before the new one is there": partial(
                ways.install, point=ways.remove_and_rename
            ),
            "the old files are removed first": partial(ways.install, begins_with=ways.remove_old_files),
            "the files in use are written over": ways.over_the_old,
            "a file that is there is taken to be whole": partial(ways.install, write=ways.write_what_is_not_there),
            "nothing ever turns the pointer": partial(ways.install, point=lambda device, version: None),
        },
    ),
}
