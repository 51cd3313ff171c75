"""What every test may ask for, and the quiet surroundings that all of them run in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import settings

from firstlight.datasets import penguins as penguins_path

if TYPE_CHECKING:  # torch and polars are loaded by the tests that need them
    from firstlight.data.frames import FrameLike
    from firstlight.plan.plan import Plan
    from firstlight.store.run import Run
    from firstlight.workflow import Choices

# Several tests run side by side, so each takes one thread. Set before anything imports torch, and
# handed down to the commands that tests start.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", POLARS_MAX_THREADS="1")
# Commands print as into a file, however wide the terminal is that the tests were started from.
os.environ.update(COLUMNS="110", NO_COLOR="1", TERM="dumb", PYTHONUTF8="1")
os.environ.pop("FORCE_COLOR", None)

# A slow machine is no broken promise: Hypothesis counts examples, not seconds.
settings.register_profile("firstlight", deadline=None)
settings.load_profile("firstlight")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    """The data that lies beside the checkout, too large to be part of it; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the data of this test lies in {SHARED.name}/ beside the checkout, which is not there")
    return SHARED


@pytest.fixture
def penguins() -> Path:
    """The table that the package ships: 344 rows, 7 columns."""
    return penguins_path()


TINY_WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] ! , . ? ' 猫 the a film was good bad not very it and story cast end long dull "
    "truly plot one two play un read cafe naive ##s ##ed ##ing ##ly ##er ##read ##able ##a ##b ##c ##d ##e"
).split()


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of two layers, 16 wide, random, that reads lower case;"""
    import torch
    from safetensors.torch import save_file

    words = TINY_WORDS
    sizes = {"vocab_size": len(words), "hidden_size": 16, "intermediate_size": 24, "max_position_embeddings": 128}
    config = {
        "model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12, "num_attention_heads": 4,
        "num_hidden_layers": 2, "type_vocab_size": 2, **sizes,
    }  # fmt: skip
    shapes = {
        "embeddings.word_embeddings.weight": (len(words), 16), "embeddings.position_embeddings.weight": (128, 16),
        "embeddings.token_type_embeddings.weight": (2, 16), "embeddings.LayerNorm.weight": (16,),
        "embeddings.LayerNorm.bias": (16,), "pooler.dense.weight": (16, 16),
    }  # fmt: skip
    for layer in range(2):
        for name, (outputs, inputs) in {
            "attention.self.query": (16, 16), "attention.self.key": (16, 16), "attention.self.value": (16, 16),
            "attention.output.dense": (16, 16), "intermediate.dense": (24, 16), "output.dense": (16, 24),
            "attention.output.LayerNorm": (16, 0), "output.LayerNorm": (16, 0),
        }.items():  # fmt: skip
            shapes[f"encoder.layer.{layer}.{name}.weight"] = (outputs, inputs) if inputs else (outputs,)
            shapes[f"encoder.layer.{layer}.{name}.bias"] = (outputs,)
    chance = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(shape, generator=chance) for name, shape in shapes.items()}
    folder = tmp_path_factory.mktemp("bert")
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return folder


class Fit(Protocol):
    """A whole fit of one epoch or so. keep: the model to keep, whichever is better; page: with its report."""

    def __call__(
        self,
        source: str | Path | FrameLike,
        choices: Choices,
        *,
        plan: Plan | None = None,
        out: Path | None = None,
        keep: str | None = None,
        page: bool = False,
    ) -> Run: ...


@pytest.fixture(scope="session")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """Fits a table in a moment, into a run folder of its own."""
    from firstlight import workflow
    from firstlight.model.fitting import finish

    def whole(
        source: str | Path | FrameLike,
        choices: Choices,
        *,
        plan: Plan | None = None,
        out: Path | None = None,
        keep: str | None = None,
        page: bool = False,
    ) -> Run:
        with pytest.MonkeyPatch.context() as patch:
            if keep:
                patch.setattr(workflow, "finish", lambda *parts: replace(finish(*parts), kept=keep))
            if not page:  # it has tests of its own, and takes longer than the fit
                patch.setattr("firstlight.report.run_page.run_page", lambda run, rows, script, sizes: "")
            quick = replace(choices, seconds=choices.seconds or 0.001)
            *_, last = workflow.fit_steps(source, quick, plan, out or tmp_path_factory.mktemp("run"))
        assert isinstance(last, workflow.Finished)
        return last.run

    return whole


BARE = """
import contextlib, io, json, runpy, sys
sys.modules["firstlight"] = None  # an import of it fails, as where it is not installed
for line in sys.stdin:
    said, fault = io.StringIO(), ""
    with contextlib.redirect_stdout(said):
        try:
            runpy.run_path(line.strip(), run_name="__main__")
        except BaseException as error:
            fault = f"{type(error).__name__}: {error}"
    print(json.dumps([said.getvalue(), fault]), flush=True)
"""


class Bare(Protocol):
    """Runs a script where firstlight is not installed: what it printed, and the error it ended with or ""."""

    def __call__(self, script: Path) -> tuple[str, str]: ...


@pytest.fixture(scope="session")
def bare() -> Iterator[Bare]:
    """An interpreter without firstlight. One process runs all scripts, as importing torch takes longest."""
    command = [sys.executable, "-I", "-W", "error", "-c", BARE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        entrance, exit_ = process.stdin, process.stdout
        assert entrance and exit_

        def run(script: Path) -> tuple[str, str]:
            entrance.write(f"{script}\n")
            entrance.flush()
            said, fault = json.loads(exit_.readline())
            return said, fault

        yield run
        entrance.close()
