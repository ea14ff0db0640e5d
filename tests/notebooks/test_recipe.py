"""The recipe, whose outcome is recorded, makes what the notebook that teaches its step makes."""

import shutil

import torch
from made import CI

from utils import course
from utils.course import pipeline
from utils.course.records import recorded
from utils.rank import models
from utils.shrink.recipe import Recipe


def test_the_recipe_makes_the_pruned_stage_of_its_notebook(out, tmp_path):
    shutil.copytree(out / "teacher", tmp_path / "teacher")
    started = course.begin(recorded.STUDY, **CI, out=str(tmp_path), needs=("teacher",))
    pipeline.make(started, Recipe(), until="pruned", echo=lambda line: None)
    (ours, tokenizer), (theirs, their_tokenizer) = (models.load(folder / "pruned") for folder in (tmp_path, out))
    assert (
        tokenizer.get_vocab() == their_tokenizer.get_vocab() and ours.config.pruned_heads == theirs.config.pruned_heads
    )
    for name, weight in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight, rtol=0, atol=1e-5, msg=name)
