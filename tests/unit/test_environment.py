"""What the environment of a process may not change, and what a command makes of its terminal."""

import os
import subprocess
import sys

import pytest
from transformers import integrations

from utils import environment

TRAIN = """
import utils, sys, warnings
import torch
from datasets import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
from utils import environment
environment.seed_everything(0)
sizes = dict(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
model = BertForSequenceClassification(BertConfig(**sizes, num_labels=1))
rows = [{"input_ids": [1 + i % 7, 2 + i % 5, 3], "labels": float(i % 2)} for i in range(8)]
how = dict(max_steps=3, report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, learning_rate=1e-2)
arguments = TrainingArguments(output_dir=sys.argv[1], **how)
Trainer(model=model, args=arguments, train_dataset=Dataset.from_list(rows)).train()
print(sum(float(weights.double().abs().sum()) for weights in model.parameters()).hex())
"""
FOREIGN = {
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "LOCAL_RANK": "1",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
    "USE_TORCH": "0",
}


def trained(folder, **variables):
    """What a training in a fresh process with these variables ends with: a sum over all weights, exactly."""
    clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    command = [sys.executable, "-c", TRAIN, str(folder)]
    done = subprocess.run(command, env=clean | variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout.split()[-1]


def test_training_gives_the_same_weights_whatever_a_cluster_or_a_launcher_left_in_the_environment(tmp_path):
    assert trained(tmp_path, **FOREIGN) == trained(tmp_path)


def test_what_changes_results_is_forgotten_and_everything_else_is_kept(monkeypatch):
    kept = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "0", "RANKING": "x"}
    for name, value in (FOREIGN | kept).items():
        monkeypatch.setenv(name, value)
    environment.no_foreign_say()
    assert not FOREIGN.keys() & os.environ.keys() and all(os.environ[name] == value for name, value in kept.items())


@pytest.mark.parametrize(
    ("project", "usable", "wanted", "said"),
    [
        ("", True, ["tensorboard"], False),
        ("ranking", True, ["tensorboard", "wandb"], False),
        ("ranking", False, ["tensorboard"], True),
    ],
)
def test_a_tracker_that_cannot_be_used_is_said_once_and_stops_nothing(
    monkeypatch, capsys, project, usable, wanted, said
):
    monkeypatch.setenv("WANDB_PROJECT", project)
    monkeypatch.setattr(integrations, "is_wandb_available", lambda: usable)
    environment.trackers.cache_clear()
    assert environment.trackers() == environment.trackers() == wanted
    assert capsys.readouterr().out.count("wandb is not installed") == said
    environment.trackers.cache_clear()


def test_a_seed_out_of_range_is_refused_before_anything_is_seeded():
    with pytest.raises(ValueError, match="seed -1 is not a whole number from 0"):
        environment.seed_everything(-1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of open files")
def test_a_command_may_open_more_files_than_its_shell_lets_it_and_too_few_are_said_with_the_remedy():
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (60, int(sys.argv[1]))); "
        "from utils import environment; environment.allow_files(); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    enough, few = (
        subprocess.run([sys.executable, "-c", code, hard], capture_output=True, text=True) for hard in ("300", "100")
    )
    assert (enough.returncode, enough.stdout) == (0, "300\n")
    assert "only 100 files may be open at a time here; let more be with: ulimit -n" in few.stderr
