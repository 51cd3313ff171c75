"""A pretrained encoder, from the command line to the script: asked for, fitted on, saved whole, and proven."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from safetensors import safe_open
from safetensors.torch import save_file

import firstlight as fl
from firstlight.cli.main import main
from firstlight.kinds.text import MEANING, MeaningSettings
from firstlight.model.predictor import NETWORK
from firstlight.plan.document import from_toml
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit

WORDS = "the a film was story cast end plot long dull very truly it and not".split()


def reviews(rows: int = 90) -> pl.DataFrame:
    """Reviews whose label hangs on a word in them, each with a title, and a score that goes with the label."""
    chance = torch.Generator().manual_seed(0)
    drawn = torch.randint(len(WORDS), (rows, 9), generator=chance).tolist()
    labels = [("good", "bad")[each] for each in torch.randint(2, (rows,), generator=chance).tolist()]
    texts = [" ".join(WORDS[each] for each in words) for words in drawn]
    told = [f"{text} {label} {number}" for number, (text, label) in enumerate(zip(texts, labels, strict=True))]
    return pl.DataFrame(
        {
            "review": told,
            "title": [" ".join(reversed(text.split()[:6])) for text in texts],
            "verdict": labels,
            "score": [{"good": 4.0, "bad": 1.0}[label] + number % 7 / 10 for number, label in enumerate(labels)],
        }
    )


@pytest.mark.parametrize("target", ["verdict", "score"])
def test_the_file_needs_nothing_else_and_the_script_retrains_to_the_same_bits(
    tiny_bert: Path, tmp_path: Path, fit: Fit, bare: Bare, target: str
) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "bert"))
    rows = reviews().drop("score" if target == "verdict" else "verdict")
    run = fit(rows, Choices(target, pretrained=str(folder)), keep=NETWORK)
    assert run.folder is not None
    said, fault = bare(run.folder / "train.py")
    assert fault == ""
    assert said.endswith("the same model, to the last bit\n")
    answers = run.predict(rows)
    shutil.rmtree(folder)
    assert_frame_equal(fl.load(run.folder / "model.safetensors").predict(rows), answers)


def test_the_plan_names_the_encoder_and_fits_the_same_model_again(tiny_bert: Path, tmp_path: Path, fit: Fit) -> None:
    rows = reviews().drop("score")
    fit(rows, Choices("verdict", pretrained=str(tiny_bert)), out=tmp_path / "first")
    text = (tmp_path / "first" / "plan.toml").read_text(encoding="utf-8")
    settings = from_toml(text, "plan.toml").parts["meaning"]
    assert isinstance(settings, MeaningSettings)
    assert (settings.folder, settings.heads, settings.lower) == (str(tiny_bert), 4, True)
    fit(rows, Choices(), plan=from_toml(text, "plan.toml"), out=tmp_path / "again")
    both = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "again")]
    assert both[0] == both[1]


def test_it_is_asked_for_in_the_terminal_as_in_python(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    reviews().drop("score").write_csv("reviews.csv")
    line = f"fit reviews.csv --target verdict --time 0.01s --pretrained {tiny_bert} --out by_command"
    assert main(line.split()) == 0
    assert "meaning" in capsys.readouterr().out
    fl.fit("reviews.csv", "verdict", time="0.01s", pretrained=tiny_bert, out="by_python")
    parts = fl.split(fl.read("reviews.csv"), "verdict")
    assert "meaning" in fl.plan(parts, time="0.01s", pretrained=tiny_bert).parts
    for name in ("model.safetensors", "plan.toml"):
        assert Path("by_python", name).read_bytes() == Path("by_command", name).read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda words: words.fill_(255),
        lambda words: words.copy_(words.where(words != ord("["), ord("("))),
    ],
    ids=["no text", "no marks"],
)
def test_a_file_whose_words_were_tampered_with_is_refused(
    tiny_bert: Path, tmp_path: Path, fit: Fit, change: Callable[[torch.Tensor], object]
) -> None:
    run = fit(reviews().drop("score"), Choices("verdict", pretrained=str(tiny_bert)))
    assert run.folder is not None
    with safe_open(run.folder / "model.safetensors", framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    change(tensors["network.meaning.encoder.vocabulary"])
    save_file(tensors, tmp_path / "changed.safetensors", metadata)
    with pytest.raises(fl.Refused, match=r"changed\.safetensors is damaged"):
        fl.load(tmp_path / "changed.safetensors")


def test_without_being_asked_for_there_is_none(tmp_path: Path, fit: Fit) -> None:
    assert MEANING.name not in fit(reviews().drop("score"), Choices("verdict")).predictor.plan.parts


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("table.csv --target label --pretrained BERT", "has no column of text that --pretrained could read;"),
        (
            "reviews.csv --target verdict --pretrained nowhere",
            "--pretrained nowhere is neither a folder nor an encoder",
        ),
        ("reviews.csv --target verdict --pretrained EMPTY", "holds no config.json; a pretrained encoder is a folder"),
        (
            "--plan plan.toml --pretrained BERT",
            "pretrained stands in the plan; change it there",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: str, said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    reviews().drop("score").write_csv("reviews.csv")
    pl.DataFrame({"size": [1.5, 2.25, 3.0, 4.75] * 10, "label": ["a", "b"] * 20}).write_csv("table.csv")
    if "--plan" in arguments:
        assert main(["plan", "reviews.csv", "--target", "verdict", "-o", "plan.toml"]) == 0
    capsys.readouterr()
    arguments = arguments.replace("BERT", str(tiny_bert)).replace("EMPTY", str(tmp_path / "empty"))
    assert main(["fit", *arguments.split()]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_plan_whose_encoder_is_gone_is_refused(tiny_bert: Path, tmp_path: Path, fit: Fit) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "bert"))
    rows = reviews().drop("score")
    plan = fit(rows, Choices("verdict", pretrained=str(folder))).predictor.plan
    (folder / "vocab.txt").unlink()
    with pytest.raises(fl.Refused, match=r"bert holds no vocab\.txt; a pretrained encoder is a folder with"):
        fit(rows, Choices(), plan=plan)
