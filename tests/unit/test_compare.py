"""Ways beside fp32: what each costs and loses is counted, and one rule chooses."""

from dataclasses import replace

import numpy as np
import pytest

from utils import settings
from utils.data import catalogue as catalogues
from utils.measure.timing import Ratio
from utils.rank import models
from utils.rank.metrics import Interval, Quality
from utils.rank.setting import Setting
from utils.shrink.quantize import compare, int8_onnx

PROFILE = replace(settings.profile("ci"), n_valid_queries=8, n_latency_queries=1, n_bootstrap=50)


def way(*, high=0.01, faster=2.0, n_bytes=100, mean=0.0, engine="OpenVINO"):
    change = Interval(mean, -0.1, high)
    return compare.Judged(np.zeros(1), 0.1, Quality({}, {}, {}), change, n_bytes, Ratio(faster, faster, faster), engine)


def test_every_way_stands_beside_the_reference(ranking_folder, tmp_path):
    shop = catalogues.load("synthetic", profile=PROFILE)
    _, tokenizer = models.load(ranking_folder)
    source = ranking_folder / "onnx" / "model.onnx"
    ways = {"fp32": source, "dynamic": int8_onnx.dynamic(source, tmp_path / "dynamic.onnx")}
    ways["fp32, OpenVINO"] = ranking_folder / "openvino" / "openvino_model.xml"
    setting = Setting(shop, PROFILE, seed=0, log_folder=tmp_path)
    judged = compare.judge(ways, reference="fp32", tokenizer=tokenizer, setting=setting)
    assert {name: one.engine for name, one in judged.items()} == {
        "fp32": "ONNX Runtime", "dynamic": "ONNX Runtime", "fp32, OpenVINO": "OpenVINO"
    }  # fmt: skip
    assert judged["fp32"].drift == 0 and judged["fp32"].as_row("fp32")["less fp32 [95%]"] == "–"
    assert list(judged["dynamic"].as_row("dynamic"))[-2:] == ["MB", "times as fast [95%]"]
    assert 0 < judged["fp32, OpenVINO"].drift < 0.01 < judged["dynamic"].drift
    assert judged["dynamic"].n_bytes < 0.3 * judged["fp32"].n_bytes
    assert judged["fp32, OpenVINO"].n_bytes > source.stat().st_size * 0.9  # the weights beside the .xml count
    assert judged["dynamic"].scores.shape == (len(shop.pairs["valid"]),)


def test_the_rule_takes_the_fastest_of_those_that_lose_nothing_beyond_chance():
    ways = {"slow": way(faster=1.2), "harmful": way(high=-0.001, faster=3.0), "fast": way(faster=1.5)}
    ways["elsewhere"] = way(faster=9.0, engine="ONNX Runtime")
    assert compare.choose(ways, engine="OpenVINO") == "fast"
    assert compare.choose(ways | {"small": way(faster=1.46, n_bytes=90)}, engine="OpenVINO") == "small"
    assert compare.choose(ways, engine="ONNX Runtime") == "elsewhere"
    lossy = {"a": way(high=-0.01, mean=-0.1), "b": way(high=-0.02, mean=-0.05)}
    assert compare.choose(lossy, engine="OpenVINO") == "b"
    with pytest.raises(ValueError, match="no way of ONNX Runtime"):
        compare.choose(lossy, engine="ONNX Runtime")


def test_scores_that_order_the_same_lose_nothing_however_far_they_drift(tmp_path):
    shop = catalogues.load("synthetic", profile=PROFILE)
    setting = Setting(shop, PROFILE, seed=0, log_folder=tmp_path)
    exact = np.array(setting.valid["gain"], dtype=float)
    stretched = compare.scored(3 * exact + 1, reference=exact, setting=setting)
    assert stretched.drift > 2 and stretched.change.mean == 0 and not stretched.loses
    assert stretched.as_row("x")["less fp32 [95%]"] == "+0.000 [+0.000, +0.000]"
    turned = compare.scored(-exact, reference=exact, setting=setting)
    assert turned.loses and turned.change.mean < -0.1
