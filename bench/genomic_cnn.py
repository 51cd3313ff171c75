"""The convolutional network that the Genomic Benchmarks set as their baseline, written anew from its description.

Gresova et al. 2023, "Genomic benchmarks: a collection of datasets for genomic sequence classification", BMC Genomic
Data 24:25. As published its one output passes through a sigmoid and then through a loss that applies another; with
"repaired" it does not. It writes a line when the test rows are predicted, and then the probabilities.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

EMBEDDING, DENSE, WIDTH = 100, 512, 8
CHANNELS = (16, 8, 4)
BATCH, EPOCHS, RATE = 64, 10, 1e-3
LETTERS = "ACGTN"
PADDING, UNKNOWN = 0, len(LETTERS) + 1


def codes_of(sequences: pl.Series, length: int) -> Tensor:
    """A number for each letter, (rows, length) int64."""
    table = np.full(256, UNKNOWN, dtype=np.int64)
    table[list(LETTERS.encode())] = np.arange(1, UNKNOWN)
    table[ord(" ")] = PADDING
    text = "".join(sequences.str.to_uppercase().str.slice(0, length).str.pad_end(length))
    return torch.from_numpy(table[np.frombuffer(text.encode(), np.uint8)].reshape(-1, length))


class GenomicCNN(nn.Module):
    """Embedded letters, three convolutions, two dense layers; the first convolution alone has a ReLU."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(UNKNOWN + 1, EMBEDDING)
        layers: list[nn.Module] = []
        inputs, left = EMBEDDING, length
        for number, channels in enumerate(CHANNELS):
            rectified = [nn.ReLU()] if number == 0 else []
            layers += [nn.Conv1d(inputs, channels, WIDTH), nn.BatchNorm1d(channels), *rectified, nn.MaxPool1d(2)]
            inputs, left = channels, (left - WIDTH + 1) // 2
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.dense = nn.Sequential(nn.Linear(inputs * left, DENSE), nn.Linear(DENSE, 1))

    def forward(self, codes: Tensor) -> Tensor:
        """One number for each sequence; codes: (rows, length)."""
        embedded = self.embedding(codes).transpose(1, 2)  # (rows, EMBEDDING, length)
        answer: Tensor = self.dense(self.convolutions(embedded))
        return answer.squeeze(1)


def fitted(codes: Tensor, labels: Tensor, *, repaired: bool) -> GenomicCNN:
    """Ten epochs of Adam."""
    model = GenomicCNN(codes.shape[1])
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    batches = DataLoader(TensorDataset(codes, labels), batch_size=BATCH, shuffle=True)
    for _ in range(EPOCHS):
        for inputs, truth in batches:
            output = model(inputs)
            loss = functional.binary_cross_entropy_with_logits(output if repaired else output.sigmoid(), truth)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


def main() -> None:
    """Reads the two files, fits, and predicts the test rows."""
    train_path, target, test_path, loss = sys.argv[1:]
    train, test = pl.read_parquet(train_path), pl.read_parquet(test_path)
    torch.manual_seed(0)
    length = int(train["sequence"].str.len_chars().to_numpy().max())
    labels = torch.tensor(train[target].to_list(), dtype=torch.float32)
    model = fitted(codes_of(train["sequence"], length), labels, repaired=loss == "repaired")
    with torch.inference_mode():
        chances = model(codes_of(test["sequence"], length)).sigmoid()
    print("predicted", flush=True)
    print(json.dumps(chances.tolist()))


if __name__ == "__main__":
    main()
