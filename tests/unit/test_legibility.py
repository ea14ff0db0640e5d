"""A shop in a script that the checkpoint does not know is told so, before anything is trained on it."""

import pytest
import small_shop

from utils import settings
from utils.course import cli, legibility
from utils.data import catalogue
from utils.rank import models


@pytest.fixture(scope="module")
def tokenizer():
    return models.open_tokenizer()


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        (["red sofa", "größe 12", "żółty gourde"], 0.0),
        (["กางเกงผ้าฝ้าย", "red sofa"], 1 / 3),  # the unknown token
        (["กางเกง", "red sofa"], 1 / 3),  # letter by letter
        (["красные туфли", "ADIDAS"], 2 / 3),
        (["红色皮沙发 IKEA"], 5 / 6),  # each character is a word, and all but one of these are unknown
        (["x4b7 zq10 12345678"], 0.0),  # codes are cut into pieces in every language
        (["☕ cup 🛋 !!!"], 0.0),
        ([""], 0.0),
        ([], 0.0),
    ],
)
def test_share_of_unknown_words_counts_words_and_neither_signs_nor_codes(tokenizer, texts, share):
    assert models.unknown_share(tokenizer, texts) == pytest.approx(share)


def test_warning_with_its_remedy_stands_only_where_many_words_are_unknown():
    plain, thai = ["red sofa", "blue mug"], ["กางเกง", "รองเท้า"]
    fine = legibility.sentences(plain, plain, checkpoint=models.MINILM)
    assert fine == "words that the checkpoint all-MiniLM-L6-v2 does not know: 0.0% in queries, 0.0% in titles"
    for queries, titles in ((thai, plain), (plain, thai)):
        told = legibility.sentences(queries, titles, checkpoint=models.MINILM)
        assert "100.0% in" in told and "Warning: " in told and "CHECKPOINT" in told and "notebook 01" in told


def test_of_many_texts_some_from_the_whole_file_are_looked_at_and_of_a_long_one_its_beginning(monkeypatch):
    monkeypatch.setattr(legibility, "N_TEXTS", 5)
    monkeypatch.setattr(legibility, "N_CHARACTERS", 4)
    texts = ["red sofa กางเกง"] * 6 + ["กางเกง"] * 4
    assert "40.0% in queries, 0.0% in titles" in legibility.sentences(texts, ["red"], checkpoint=models.MINILM)


def test_data_check_and_catalogue_say_the_same(tmp_path, capsys):
    small_shop.write(tmp_path, products=small_shop.PRODUCTS.replace("Sofa red", "กางเกง").replace("Lamp", "โคมไฟ"))
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", "check", str(tmp_path)])
    out = capsys.readouterr().out
    told = legibility.of_catalogue(catalogue.load(tmp_path, profile=settings.profile("gpu")))
    assert stop.value.code == 0 and out.endswith(told + "\n") and "Warning" in told
