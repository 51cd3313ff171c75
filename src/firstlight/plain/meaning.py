"""A model that reads texts by what they mean: a pretrained sentence encoder, and weights on what it gives.

The encoder (BERT: Devlin et al. 2019; as sentences: Reimers and Gurevych 2019) has read more than any table holds, and
stays as it came. Each text is a vector of its numbers, and only the few weights that turn a vector into an answer are
fitted. So a word that no training row holds still means something.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.pieces import weighted_mean
from firstlight.plain.ragged import Ragged
from firstlight.plain.words import ALONE, BLANK, LETTER, hashes_of_stretches, letters_of, stretches_of

MOST_TOKENS = 128  # that are read of a text, the mark at either end included; what comes later is left away
TOKENS_AT_ONCE = 4096  # so that what the layers give stays small enough for the processor's own memory
STEPS = 20  # of an epoch, which sets out from where the one before has come to
LONGEST_WORD = 100  # letters, above which a word counts as unknown
DROPPED = 3  # beside BLANK, LETTER and ALONE: a sign that is not read at all
IDEOGRAPHS = (
    (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x2A6E0), (0x2A700, 0x2CEB0), (0x2F800, 0x2FA20),
)  # fmt: skip
STORED_AS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}  # what files call types of numbers
LOOKING = ("attention.self.query", "attention.self.key", "attention.self.value")
THINKING = {"mix": "attention.output.dense", "widen": "intermediate.dense", "narrow": "output.dense"}
NORMS = ("attention.output.LayerNorm", "output.LayerNorm")


@dataclass(frozen=True, eq=False)
class Spelt:
    """Texts as numbers of their words, in the order in which they stand.

    words: every different word once. texts: for each column the words of its rows, here neither ascending nor sets.
    """

    words: tuple[str, ...]
    texts: tuple[Ragged, ...]

    def __len__(self) -> int:
        return len(self.texts[0])

    def index_select(self, dim: int, chosen: Tensor) -> "Spelt":
        """The chosen rows."""
        return Spelt(self.words, tuple(texts.index_select(dim, chosen) for texts in self.texts))


def sort_of_sign(letter: str, lower: bool) -> int:
    """BLANK between words, LETTER of one, ALONE as a word by itself, or DROPPED; in lower case, accents are dropped."""
    group, number = unicodedata.category(letter), ord(letter)
    if letter in "\t\n\r" or group[0] == "Z":
        return BLANK
    if group[0] == "C" or letter == "\ufffd" or (lower and group == "Mn"):
        return DROPPED
    sign = group[0] == "P" or (group[0] == "S" and number < 128)
    return ALONE if sign or any(first <= number < end for first, end in IDEOGRAPHS) else LETTER


def spelt(rows: pl.DataFrame, columns: Sequence[str], lower: bool) -> Spelt:
    """The first words of each row's texts, as a BERT takes texts apart: signs and Chinese letters stand alone.

    lower: in lower case and without accents. Each different word is spelt out once, however often it comes again.
    """
    words: list[str] = []
    texts = []
    for name in columns:
        whole = letters_of(rows[name], lower).tobytes().decode("utf-32-le")
        whole = unicodedata.normalize("NFD", whole) if lower else whole
        letters = np.frombuffer(whole.encode("utf-32-le"), dtype=np.uint32)
        sorts = signs_of(letters, lower)
        letters, sorts = letters[sorts != DROPPED], sorts[sorts != DROPPED]
        parts = stretches_of(letters, sorts == LETTER, sorts == ALONE)
        counts = np.bincount(parts.rows, minlength=len(rows))
        place = np.arange(len(parts.rows)) - (counts.cumsum() - counts)[parts.rows]
        read = place < MOST_TOKENS  # a word has one token at the least
        _, first, numbers = np.unique(hashes_of_stretches(letters, parts)[read], return_index=True, return_inverse=True)
        starts = np.append(0, np.minimum(counts, MOST_TOKENS).cumsum())
        texts.append(Ragged(torch.from_numpy(numbers + len(words)).int(), torch.from_numpy(starts).int()))
        told = letters.tobytes().decode("utf-32-le")
        begins, ends = parts.starts[read][first].tolist(), parts.ends[read][first].tolist()
        words += [told[begin:end] for begin, end in zip(begins, ends, strict=True)]
    return Spelt(tuple(words), tuple(texts))


def signs_of(letters: NDArray[np.uint32], lower: bool) -> NDArray[np.uint8]:
    """The sort of each letter; what a sort is, is looked up once for each different one."""
    table = np.zeros(0x110000, dtype=np.uint8)
    table[letters] = 1
    for letter in np.flatnonzero(table).tolist():
        table[letter] = sort_of_sign(chr(letter), lower)
    return table[letters]


def cut_word(word: str, known: Mapping[str, int]) -> list[int]:
    """A word as tokens: its longest known beginning, then that of what is left, and so on; or the unknown word.

    Source: WordPiece, as in Devlin et al. 2019; pieces that do not begin a word are written with ## before them.

    >>> cut_word("unread", {"[UNK]": 0, "un": 1, "##read": 2, "##re": 3})
    [1, 2]
    """
    tokens: list[int] = []
    start = 0
    while start < len(word) <= LONGEST_WORD:
        mark = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if mark + word[start:end] in known), start)
        if end == start:
            return [known["[UNK]"]]
        tokens.append(known[mark + word[start:end]])
        start = end
    return tokens or [known["[UNK]"]]


class SentenceEncoder(nn.Module):
    """A pretrained BERT that gives each text a vector: what its layers give, each on average over the text's tokens.

    The last layer speaks of what a text is about, those before it more of how it is said. Every other one is listened
    to: the more there are, the less another adds.

    vocabulary: (bytes,) uint8, the words that it knows, one a line. heads: into how many parts a vector is cut to look
    at the others. words: (known, width); places: (places, width). For all layers together: look (layers, 3 width,
    width), mix (layers, width, width), widen (layers, inner, width), narrow (layers, width, inner), each with biases;
    norms: (1 + 2 layers, 2, width). All float32, and none of them is fitted.
    """

    def __init__(self, heads: int, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.heads = heads
        self.vocabulary = nn.Buffer(tensors["vocabulary"])
        self.words, self.places = nn.Buffer(tensors["words"]), nn.Buffer(tensors["places"])
        self.look, self.look_bias = nn.Buffer(tensors["look"]), nn.Buffer(tensors["look_bias"])
        self.mix, self.mix_bias = nn.Buffer(tensors["mix"]), nn.Buffer(tensors["mix_bias"])
        self.widen, self.widen_bias = nn.Buffer(tensors["widen"]), nn.Buffer(tensors["widen_bias"])
        self.narrow, self.narrow_bias = nn.Buffer(tensors["narrow"]), nn.Buffer(tensors["narrow_bias"])
        self.norms = nn.Buffer(tensors["norms"])
        self.listened = range(len(self.look) - 1, -1, -2)  # the last layer, the last but two, and so on
        self.width = len(self.listened) * self.words.shape[1]

    @torch.no_grad()
    def forward(self, texts: Spelt) -> Tensor:
        """For each row the vectors of its texts, side by side: (rows, columns * width) float32."""
        return torch.cat([self.vectors(tokens) for tokens in self.tokens(texts)], dim=1)

    def known(self) -> dict[str, int]:
        """The number of each word, and of each piece of a word, that it knows."""
        lines = bytes(self.vocabulary.numpy()).decode().removesuffix("\n").split("\n")
        return {word.rstrip("\r"): number for number, word in enumerate(lines)}

    def tokens(self, texts: Spelt) -> list[Ragged]:
        """The tokens of each column's texts, in their order, between a mark for the beginning and one for the end."""
        known = self.known()
        used, numbers = torch.cat([column.values for column in texts.texts]).unique(return_inverse=True)
        cut = [cut_word(texts.words[number], known) for number in used.tolist()]
        lengths = torch.tensor([len(each) for each in cut], dtype=torch.int64)
        pieces = torch.tensor([token for each in cut for token in each], dtype=torch.int32)
        cut_up = Ragged(pieces, F.pad(lengths.cumsum(0), (1, 0)).int())
        columns = zip(texts.texts, numbers.split([len(column.values) for column in texts.texts]), strict=True)
        return [marked(column, own, cut_up, known["[CLS]"], known["[SEP]"]) for column, own in columns]

    def vectors(self, tokens: Ragged) -> Tensor:
        """The vectors of texts, (texts, width). Those of one length are read together, and equal ones once."""
        lengths = tokens.starts.diff()
        vectors = torch.empty(len(tokens), self.width)
        for length in lengths.unique().tolist():
            chosen = torch.nonzero(lengths == length).flatten()
            alike, which = tokens.index_select(0, chosen).values.view(-1, length).unique(dim=0, return_inverse=True)
            blocks = alike.split(max(1, TOKENS_AT_ONCE // length))
            vectors[chosen] = torch.cat([self.read(block) for block in blocks])[which]
        return vectors

    def read(self, tokens: Tensor) -> Tensor:
        """Texts of one length, (texts, length) int32, to their vectors, (texts, width).

        In each layer every token looks at all others of its text (attention: Vaswani et al. 2017) and adds what it
        sees to itself; then each goes through a small network by itself.
        """
        signal = self.normed(F.embedding(tokens, self.words) + self.places[: tokens.shape[1]], 0)
        told = []
        for layer in range(len(self.look)):
            parts = F.linear(signal, self.look[layer], self.look_bias[layer]).unflatten(2, (3, self.heads, -1))
            query, key, value = parts.permute(2, 0, 3, 1, 4)  # (texts, heads, length, width / heads) each
            seen = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
            signal = self.normed(signal + F.linear(seen, self.mix[layer], self.mix_bias[layer]), 1 + 2 * layer)
            wide = F.gelu(F.linear(signal, self.widen[layer], self.widen_bias[layer]))
            signal = self.normed(signal + F.linear(wide, self.narrow[layer], self.narrow_bias[layer]), 2 + 2 * layer)
            if layer in self.listened:
                told.append(F.normalize(signal.mean(dim=1), dim=1) * signal.shape[2] ** 0.5)  # numbers of about 1
        return torch.cat(told, dim=1)

    def normed(self, signal: Tensor, which: int) -> Tensor:
        """Each token with mean 0 and deviation 1 over its width, then stretched and moved as was learned."""
        weight, bias = self.norms[which]
        return F.layer_norm(signal, weight.shape, weight, bias, eps=1e-12)


def marked(texts: Ragged, numbers: Tensor, cut: Ragged, begin: int, end: int) -> Ragged:
    """Texts as tokens between two marks, at most MOST_TOKENS each.

    texts: words in their order, whose own numbers are `numbers`; cut: the tokens of each word.
    """
    lengths = cut.starts.diff()[numbers]  # tokens of each word as it stands in the texts
    ends = F.pad(lengths.cumsum(0), (1, 0))[texts.starts]
    tokens = cut.index_select(0, numbers).values
    owners = torch.arange(len(texts)).repeat_interleave(ends.diff())
    place = torch.arange(len(tokens)) - ends[owners]
    kept = place < MOST_TOKENS - 2
    counts = ends.diff().clamp_max(MOST_TOKENS - 2) + 2
    starts = F.pad(counts.cumsum(0), (1, 0))
    values = torch.empty(int(starts[-1]), dtype=torch.int32)
    values[starts[:-1]], values[starts[1:] - 1] = begin, end
    values[starts[owners[kept]] + place[kept] + 1] = tokens[kept]
    return Ragged(values, starts.int())


def header_of(path: Path) -> tuple[dict[str, Any], int]:
    """What a .safetensors file says of its tensors: type, shape and place of each by name; and where they begin."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        described: dict[str, Any] = json.loads(file.read(size))
    described.pop("__metadata__", None)
    return described, 8 + size


def tensors_in(path: Path) -> dict[str, Tensor]:
    """The tensors of real numbers in a .safetensors file, as float32."""
    described, begin = header_of(path)
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=begin)
    tensors = {}
    for name, each in described.items():
        if each["dtype"] in STORED_AS:
            own = torch.from_numpy(np.array(data[slice(*each["data_offsets"])]))
            tensors[name] = own.view(getattr(torch, STORED_AS[each["dtype"]])).view(each["shape"]).float()
    return tensors


def sentence_encoder(folder: str, heads: int) -> SentenceEncoder:
    """The encoder in a folder: a BERT as model.safetensors, its words as vocab.txt."""
    stored = {name.removeprefix("bert."): each for name, each in tensors_in(Path(folder, "model.safetensors")).items()}
    layers = sum(name.endswith(LOOKING[0] + ".weight") for name in stored)

    def both(name: str) -> Tensor:
        return torch.stack([stored[f"{name}.weight"], stored[f"{name}.bias"]])

    def of_layers(names: Sequence[str], what: str) -> Tensor:
        rows = [[stored[f"encoder.layer.{layer}.{name}.{what}"] for name in names] for layer in range(layers)]
        return torch.stack([torch.cat(each) for each in rows])

    places = stored["embeddings.position_embeddings.weight"][:MOST_TOKENS]
    norms = [both(f"encoder.layer.{layer}.{name}") for layer in range(layers) for name in NORMS]
    tensors = {
        "vocabulary": torch.frombuffer(bytearray(Path(folder, "vocab.txt").read_bytes()), dtype=torch.uint8),
        "words": stored["embeddings.word_embeddings.weight"],
        "places": places + stored["embeddings.token_type_embeddings.weight"][0],
        "look": of_layers(LOOKING, "weight"),
        "look_bias": of_layers(LOOKING, "bias"),
        "norms": torch.stack([both("embeddings.LayerNorm"), *norms]),
    }
    for ours, name in THINKING.items():
        tensors |= {ours: of_layers([name], "weight"), f"{ours}_bias": of_layers([name], "bias")}
    return SentenceEncoder(heads, tensors)


class Meaning(nn.Module):
    """Weighted sums of the numbers in the vectors that an encoder gives: inputs to (members, rows, outputs) float32.

    view: under which name the inputs hold what the encoder reads, or its vectors where it has been read before.
    width: how many numbers a row has. Of two classes only the second has weights.
    """

    def __init__(self, view: str, encoder: nn.Module, width: int, members: int, outputs: int) -> None:
        super().__init__()
        self.view, self.encoder, self.members, self.outputs = view, encoder, members, outputs
        columns = members * (1 if outputs == 2 else outputs)
        self.weight = nn.Parameter(torch.zeros(width, columns))
        self.bias = nn.Parameter(torch.zeros(columns))

    def vectors(self, inputs: Mapping[str, Any]) -> Tensor:
        """The vectors of the rows: (rows, width) float32."""
        given = inputs[self.view]
        read_before = isinstance(given, Tensor) and given.is_floating_point()
        vectors: Tensor = given if read_before else self.encoder(given)
        return vectors

    def forward(self, inputs: Mapping[str, Any]) -> Tensor:
        sums = (self.vectors(inputs) @ self.weight + self.bias).unflatten(1, (self.members, -1))
        return (F.pad(sums, (1, 0)) if self.outputs == 2 else sums).transpose(0, 1)

    def keep_last(self) -> None:
        """Lets the last member, which learned from all rows, answer alone."""
        columns = len(self.bias) // self.members
        self.weight = nn.Parameter(self.weight.detach()[:, -columns:].contiguous())
        self.bias = nn.Parameter(self.bias.detach()[-columns:].clone())
        self.members = 1


def meaning_sums(view: str, texts: Spelt, encoder: SentenceEncoder, members: int, outputs: int) -> Meaning:
    """The module for training texts, with a vector for each of their columns; its weights begin at 0."""
    return Meaning(view, encoder, encoder.width * len(texts.texts), members, outputs)


def fit_meaning(
    model: Meaning, inputs: dict[str, Any], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, decay: float, fall: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Logistic (or least squares) regression of all members at once on the vectors; yields as `fit_members`.

    In each epoch L-BFGS walks nearly to the lowest point, with all rows at every step. `decay` holds the weights small,
    and in each epoch `fall` times less than in the one before: which epoch is best is seen on rows held out. What the
    encoder reads is read once: its vectors take its place in `inputs`.
    """
    inputs[model.view] = model.vectors(inputs)
    share = learns / learns.sum(dim=1, keepdim=True)
    rows = learns.sum(dim=1).repeat_interleave(len(model.bias) // len(learns))  # that each weight is learned from
    for epoch in range(1, epochs + 1):
        pull = decay / fall ** (epoch - 1) / rows
        optimiser = torch.optim.LBFGS(model.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss(optimiser: torch.optim.LBFGS = optimiser, pull: Tensor = pull) -> Tensor:
            optimiser.zero_grad()
            total = (losses_of(model(inputs), targets) * share).sum() + (pull * model.weight.square()).sum() / 2
            total.backward()
            return total

        optimiser.step(loss)
        with torch.no_grad():
            losses = losses_of(model(inputs), targets)
        yield epoch, weighted_mean(losses, learns), weighted_mean(losses, 1 - learns)
