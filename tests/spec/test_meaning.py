"""The pretrained sentence encoder: how texts become tokens, what it gives them, and the weights on that."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from firstlight.kinds.pretrained import PACKAGES, folder_named, pretrained_in
from firstlight.kinds.text import MEANING, MeaningSettings
from firstlight.plain.meaning import (
    MOST_TOKENS,
    Meaning,
    SentenceEncoder,
    cut_word,
    fit_meaning,
    meaning_sums,
    sentence_encoder,
    spelt,
    tensors_in,
)
from firstlight.plain.pieces import learning_and_all
from firstlight.plain.targets import member_log_losses, member_squared_errors
from firstlight.refusal import Refused

ODD = (
    "A film, truly GOOD!", "unreadable", "Café: naïve?", "猫good猫", "it's\tthe\nend", "", " ", "plots played", "zebra",
    "the\u200bcast", "the\u00a0cast", "\x00bad\x07", "bad\ufffdly", "a" * 101, "good" * 40, "the " * 300,
)  # fmt: skip


def column(texts: tuple[str | None, ...]) -> pl.DataFrame:
    return pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})


@pytest.fixture
def encoder(tiny_bert: Path) -> SentenceEncoder:
    return sentence_encoder(str(tiny_bert), heads=4)


def tokens_of(encoder: SentenceEncoder, *texts: str | None) -> list[list[int]]:
    (tokens,) = encoder.tokens(spelt(column(texts), ["text"], lower=True))
    return [tokens.values[begin:end].tolist() for begin, end in pairwise(tokens.starts.tolist())]


def words_of(folder: Path) -> list[str]:
    return (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A film, truly GOOD!", "a film , truly good !"),
        ("unreadable plots", "un ##read ##able plot ##s"),
        ("Café: naïve?", "cafe [UNK] naive ?"),
        ("cafe\u0301", "cafe"),
        ("猫good猫", "猫 good 猫"),
        ("it's\tthe\nend", "it ' [UNK] the end"),
        ("the\u00a0cast the\u200bcast", "the cast [UNK]"),
        ("\x00bad\x07 bad\ufffdly", "bad bad ##ly"),
        ("zebra bad", "[UNK] bad"),
        ("a" * 101, "[UNK]"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_text_is_taken_apart_as_a_bert_takes_it(
    encoder: SentenceEncoder, tiny_bert: Path, text: str | None, expected: str
) -> None:
    words = words_of(tiny_bert)
    assert [words[token] for token in tokens_of(encoder, text)[0]] == ["[CLS]", *expected.split(), "[SEP]"]


def test_a_word_of_a_hundred_letters_is_still_cut_and_one_of_a_hundred_and_one_is_unknown() -> None:
    known = {"[UNK]": 0, "a": 1, "##a": 2}
    assert cut_word("a" * 100, known) == [1] + [2] * 99
    assert cut_word("a" * 101, known) == [0]


def test_a_long_text_is_read_in_its_first_tokens(encoder: SentenceEncoder, tiny_bert: Path) -> None:
    words = words_of(tiny_bert)
    film, plot, more = (words.index(word) for word in ("film", "plot", "##s"))
    (whole,) = tokens_of(encoder, "film " * 124 + "plots plots plots")
    assert whole == [words.index("[CLS]"), *[film] * 124, plot, more, words.index("[SEP]")]
    assert len(whole) == MOST_TOKENS
    (cut,) = tokens_of(encoder, "film " * 125 + "plots plots plots")
    assert cut == [words.index("[CLS]"), *[film] * 125, plot, words.index("[SEP]")]


def test_tokens_are_those_of_the_tokenizers_library(encoder: SentenceEncoder, tiny_bert: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.BertWordPieceTokenizer(str(tiny_bert / "vocab.txt"), lowercase=True)
    theirs.enable_truncation(MOST_TOKENS)
    assert tokens_of(encoder, *ODD) == [theirs.encode(text).ids for text in ODD]


def test_with_upper_case_letters_keep_their_size_and_accents() -> None:
    texts = spelt(column(("Café NOT", None)), ["text"], lower=False)
    assert [texts.words[number] for number in texts.texts[0].values.tolist()] == ["Café", "NOT"]


def reference(folder: Path, tokens: list[int]) -> Tensor:
    """The mean of the last layer by PyTorch's own encoder layers, with the tensors of the file in their places."""
    stored = load_file(folder / "model.safetensors")
    parts = [stored[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")]
    signal = parts[0][tokens] + parts[1][: len(tokens)] + parts[2][0]
    norm = (stored["embeddings.LayerNorm.weight"], stored["embeddings.LayerNorm.bias"])
    signal = F.layer_norm(signal, (16,), *norm, eps=1e-12).unsqueeze(0)
    for number in range(2):
        own = {
            name.removeprefix(f"encoder.layer.{number}."): value
            for name, value in stored.items()
            if name.startswith(f"encoder.layer.{number}.")
        }
        layer = nn.TransformerEncoderLayer(
            16, 4, 24, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True, norm_first=False
        )
        theirs = {
            f"self_attn.in_proj_{what}": torch.cat(
                [own[f"attention.self.{name}.{what}"] for name in ("query", "key", "value")]
            )
            for what in ("weight", "bias")
        }
        for ours, name in {
            "attention.output.dense": "self_attn.out_proj", "intermediate.dense": "linear1", "output.dense": "linear2",
            "attention.output.LayerNorm": "norm1", "output.LayerNorm": "norm2",
        }.items():  # fmt: skip
            theirs |= {f"{name}.{what}": own[f"{ours}.{what}"] for what in ("weight", "bias")}
        layer.load_state_dict(theirs)
        signal = layer.train()(
            signal
        )  # in training mode it does not take its fast path; without dropout it is the same
    vector: Tensor = F.normalize(signal[0].mean(dim=0), dim=0)
    return vector.detach() * 4


def test_the_vector_of_a_text_is_that_of_pytorchs_own_layers(encoder: SentenceEncoder, tiny_bert: Path) -> None:
    vectors = encoder(spelt(column(ODD), ["text"], lower=True))
    expected = torch.stack([reference(tiny_bert, tokens) for tokens in tokens_of(encoder, *ODD)])
    assert_close(vectors, expected, rtol=0, atol=1e-5)
    assert_close(vectors.norm(dim=1), torch.full((len(ODD),), 4.0))


def test_a_row_has_the_same_vector_whatever_rows_stand_beside_it(encoder: SentenceEncoder) -> None:
    texts = spelt(column(ODD), ["text"], lower=True)
    whole = encoder(texts)
    for place in range(len(ODD)):
        alone = encoder(spelt(column(ODD[place : place + 1]), ["text"], lower=True))
        assert_close(alone[0], whole[place], rtol=0, atol=1e-6)
    order = torch.tensor([3, 3, 15, 0])
    assert_close(encoder(texts.index_select(0, order)), whole[order], rtol=0, atol=1e-6)


def test_each_column_has_a_vector_of_its_own(encoder: SentenceEncoder) -> None:
    rows = pl.DataFrame({"title": ["good film", "bad"], "story": ["bad", "the end"]})
    both = encoder(spelt(rows, ["title", "story"], lower=True))
    apart = [encoder(spelt(rows, [name], lower=True)) for name in ("title", "story")]
    assert_close(both, torch.cat(apart, dim=1), rtol=0, atol=1e-6)
    assert_close(both[1, :16], both[0, 16:], rtol=0, atol=1e-6)  # "bad", wherever it stands


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_the_size_are_read_too(tiny_bert: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    stored = {name: value.to(dtype) for name, value in load_file(tiny_bert / "model.safetensors").items()}
    save_file(stored, tmp_path / "half.safetensors")
    for name, value in tensors_in(tmp_path / "half.safetensors").items():
        assert_close(value, stored[name].float(), rtol=0, atol=0)


def lesson(encoder: SentenceEncoder) -> tuple[Meaning, dict[str, object], Tensor]:
    words, chance = "the a film was story cast end long".split(), torch.Generator().manual_seed(1)
    labels = torch.arange(80) % 2
    texts = [
        " ".join(words[each] for each in torch.randint(8, (5,), generator=chance).tolist()) + (" good", " bad")[label]
        for label in labels.tolist()
    ]
    inputs: dict[str, object] = {"meaning": spelt(column(tuple(texts)), ["text"], lower=True)}
    return meaning_sums("meaning", inputs["meaning"], encoder, 5, 2), inputs, labels  # type: ignore[arg-type]


def test_the_members_reach_the_lowest_point_of_their_loss(encoder: SentenceEncoder) -> None:
    model, inputs, labels = lesson(encoder)
    learns = learning_and_all(torch.arange(80) // 2 % 4, 5)
    told = list(fit_meaning(model, inputs, labels, learns, member_log_losses, epochs=3, decay=30.0, fall=3.0))
    assert [epoch for epoch, _, _ in told] == [1, 2, 3]
    sklearn = pytest.importorskip("sklearn.linear_model")
    vectors = inputs["meaning"]
    assert isinstance(vectors, Tensor)
    for member in (0, 4):
        mine = learns[member] > 0
        theirs = sklearn.LogisticRegression(C=9 / 30, tol=1e-8, max_iter=1000).fit(vectors[mine], labels[mine])
        expected = torch.tensor(theirs.coef_[0]).float()
        assert_close(model.weight[:, member].detach(), expected, rtol=0, atol=5e-3)


def test_numbers_are_learned_by_least_squares(encoder: SentenceEncoder) -> None:
    model, inputs, labels = lesson(encoder)
    model = meaning_sums("meaning", inputs["meaning"], encoder, 5, 1)  # type: ignore[arg-type]
    targets = labels.float() - 0.5
    learns = learning_and_all(torch.arange(80) // 2 % 4, 5)
    list(fit_meaning(model, inputs, targets, learns, member_squared_errors, epochs=3, decay=90.0, fall=3.0))
    vectors = inputs["meaning"]
    assert isinstance(vectors, Tensor)
    for member in (0, 4):
        mine = learns[member] > 0
        centred = vectors[mine].double() - vectors[mine].double().mean(dim=0)
        bowl = centred.T @ centred + 10 / 2 * torch.eye(16, dtype=torch.float64)  # half of 10 squares of each weight
        expected = torch.linalg.solve(bowl, centred.T @ targets[mine].double())
        assert_close(model.weight[:, member].detach().double(), expected, rtol=0, atol=1e-3)


def test_the_encoder_is_no_parameter_and_stays_as_it_came(encoder: SentenceEncoder, tiny_bert: Path) -> None:
    model, inputs, labels = lesson(encoder)
    assert {name for name, _ in model.named_parameters()} == {"weight", "bias"}
    list(fit_meaning(model, inputs, labels, torch.ones(5, 80), member_log_losses, epochs=1, decay=30.0, fall=3.0))
    for name, value in sentence_encoder(str(tiny_bert), heads=4).state_dict().items():
        assert_close(model.encoder.state_dict()[name], value, rtol=0, atol=0)


def test_what_answers_new_rows_is_the_member_that_learned_from_all(encoder: SentenceEncoder) -> None:
    model, inputs, labels = lesson(encoder)
    texts = inputs["meaning"]
    learns = learning_and_all(torch.arange(80) // 2 % 4, 5)
    list(fit_meaning(model, inputs, labels, learns, member_log_losses, epochs=1, decay=30.0, fall=3.0))
    all_of_them = model({"meaning": texts})
    model.keep_last()
    assert_close(model({"meaning": texts}), all_of_them[-1:])


# A folder that holds no encoder of use is refused


def settings_for(folder: Path) -> MeaningSettings:
    return MeaningSettings(epochs=1, folder=str(folder), heads=4, lower=True, decay=1.0, fall=1.0)


def refused(folder: Path) -> str:
    with pytest.raises(Refused) as caught:
        pretrained_in(folder)
    said = str(caught.value).replace(str(folder), "FOLDER")
    assert re.fullmatch(r"[^\n]+[.]", said)
    return said


@pytest.fixture
def copied(tiny_bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bert, tmp_path / "copied"))


def configured(folder: Path, **changes: object) -> Path:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    return folder


def test_a_sound_folder_tells_heads_and_whether_it_reads_lower_case_alone(copied: Path) -> None:
    assert (pretrained_in(copied).heads, pretrained_in(copied).lower) == (4, True)
    path = copied / "vocab.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("film", "Film"), encoding="utf-8")
    assert not pretrained_in(copied).lower


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_folder_that_lacks_a_file_is_refused(copied: Path, name: str) -> None:
    (copied / name).unlink()
    files = "config.json, model.safetensors, vocab.txt"
    assert refused(copied) == f"FOLDER holds no {name}; a pretrained encoder is a folder with {files}."


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model_type", "roberta", "its config.json says model_type 'roberta', and only 'bert' is known"),
        ("hidden_act", "relu", "its config.json says hidden_act 'relu', and only 'gelu' is known"),
        ("layer_norm_eps", 1e-5, "its config.json says layer_norm_eps 1e-05, and only 1e-12 is known"),
        ("position_embedding_type", "relative_key", "its config.json says position_embedding_type 'relative_key'"),
        ("hidden_size", "16", "its config.json says hidden_size '16', and a whole number from 1 up is needed"),
        ("num_attention_heads", 3, "its hidden_size is no multiple of its num_attention_heads, 3"),
        ("max_position_embeddings", 64, "it reads texts of 64 tokens, and 128 are needed"),
        ("vocab_size", 3, "its vocab.txt has 47 words, and its config.json says vocab_size 3"),
        (
            "intermediate_size",
            32,
            "tensor encoder.layer.0.intermediate.dense.weight has the shape [24, 16], "
            "and its config.json promises [32, 16]",
        ),
        (
            "num_hidden_layers",
            3,
            "its model.safetensors has no tensor encoder.layer.2.attention.output.LayerNorm.weight of real numbers "
            "(F32, F16, BF16)",
        ),
    ],
)
def test_a_config_that_is_no_such_bert_is_refused(copied: Path, key: str, value: object, said: str) -> None:
    assert refused(configured(copied, **{key: value})) == f"FOLDER is no encoder that can be used: {said}."


@pytest.mark.parametrize("text", ["", "[", "[1]", "{", "nul"])
def test_a_config_that_is_no_object_of_json_is_refused(copied: Path, text: str) -> None:
    (copied / "config.json").write_text(text, encoding="utf-8")
    assert refused(copied).startswith("FOLDER ")


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\xff" * 100, b"\x02" + b"\x00" * 7 + b"[]", b"PK\x03\x04 and"])
def test_weights_that_are_no_safetensors_are_refused(copied: Path, content: bytes) -> None:
    (copied / "model.safetensors").write_bytes(content)
    assert refused(copied).startswith("FOLDER ")


def test_weights_that_are_cut_off_are_refused(copied: Path) -> None:
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    assert "its model.safetensors is cut off or damaged at tensor" in refused(copied)


def test_words_without_the_marks_are_refused(copied: Path) -> None:
    path = copied / "vocab.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("[SEP]", "sep"), encoding="utf-8")
    assert refused(copied) == "FOLDER is no encoder that can be used: its vocab.txt has no [SEP]."


def test_a_plan_for_another_encoder_than_the_folder_holds_is_refused(tiny_bert: Path) -> None:
    settings = settings_for(tiny_bert).model_copy(update={"heads": 2})
    texts = spelt(column(ODD), ["text"], lower=True)
    said = "holds another encoder than the plan was made for: [meaning] says heads 2, and that is 4."
    with pytest.raises(Refused, match=re.escape(said)):
        MEANING.build(texts, settings, 2)


def test_a_name_that_is_neither_known_nor_a_folder_is_refused() -> None:
    said = "--pretrained nothing is neither a folder nor an encoder known by name; known is minilm."
    with pytest.raises(Refused, match=re.escape(said)):
        folder_named("nothing")


def test_a_named_encoder_that_is_not_installed_is_refused_with_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "minilm", "no_such_package_anywhere")
    said = '--pretrained minilm is not installed; run: pip install "firstlight[pretrained]".'
    with pytest.raises(Refused, match=re.escape(said)):
        folder_named("minilm")


def test_a_named_encoder_that_is_installed_is_found_without_being_imported(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tiny_encoder_package"
    shutil.copytree(tiny_bert, package / "model")
    (package / "__init__.py").write_text("raise ImportError('it must not be imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(PACKAGES, "minilm", package.name)
    assert folder_named("minilm") == package / "model"
