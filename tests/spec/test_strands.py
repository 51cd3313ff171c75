"""A network over sequences of bases: its members know nothing of one another, and nothing of what is no base."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from firstlight.kinds import dna, precision
from firstlight.kinds.dna import (
    BATCH,
    MOST_EPOCHS,
    MOST_MEMBERS,
    DnaSettings,
    bases_a_second,
    batch_size,
    effort,
    part_settings,
    strands_told,
)
from firstlight.kinds.kind import Aim
from firstlight.kinds.precision import half_pays
from firstlight.plain.bases import PADDING, UNKNOWN, reverse_complement
from firstlight.plain.loop import learning
from firstlight.plain.strands import GatedBlock, Strands, fit_strands, varied
from firstlight.plain.targets import member_log_losses, member_squared_errors

MEMBERS, CHANNELS, LENGTH = 3, 4, 30
MOTIF = torch.tensor([3, 0, 3, 0, 0, 2, 1, 2], dtype=torch.uint8)


def some_codes(rows: int = 12, length: int = LENGTH, seed: int = 0) -> Tensor:
    return torch.randint(0, 5, (rows, length), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def of_many_lengths(rows: int = 12) -> Tensor:
    """Codes whose ends are padding, of the first row all."""
    ends = torch.randint(1, LENGTH + 1, (rows, 1), generator=torch.Generator().manual_seed(1))
    ends[0] = 0
    return torch.where(torch.arange(LENGTH) < ends, some_codes(rows), PADDING)


def network(
    *, members: int = MEMBERS, length: int = LENGTH, segments: int = 3, outputs: int = 2, placed: bool = False,
    both: bool = False, half: bool = True, awake: bool = True,
) -> Strands:  # fmt: skip
    """A network as it is born; awake: with blocks that do something, as after a fit."""
    torch.manual_seed(0)
    model = Strands("bases", members, CHANNELS, length, segments, outputs, placed, both, half)
    if awake:
        with torch.no_grad():
            for name, value in [*model.named_parameters(), *model.named_buffers()]:
                if name.endswith("scale"):
                    value.fill_(0.5)
                elif name.endswith(("place", "running_mean")):
                    value.normal_()
                elif name.endswith("running_var"):
                    value.uniform_(0.5, 2)
    return model.eval()


class TestModule:
    """Step 2, the network as it is built."""

    @pytest.mark.parametrize("outputs", [1, 2, 5])
    @pytest.mark.parametrize("segments", [0, 1, 4])
    def test_every_member_answers_every_row(self, outputs: int, segments: int) -> None:
        for codes in (some_codes(), of_many_lengths(), torch.full((2, LENGTH), PADDING, dtype=torch.uint8)):
            for placed, both in ((False, False), (True, False), (False, True)):
                model = network(outputs=outputs, segments=segments, placed=placed, both=both)
                answers = model({"bases": codes})
                assert (answers.shape, answers.dtype) == ((MEMBERS, len(codes), outputs), torch.float32)
                assert answers.isfinite().all()

    def test_half_precision_changes_the_answers_a_little_only(self) -> None:
        whole, half = (network(half=half)({"bases": of_many_lengths()}) for half in (False, True))
        assert not torch.equal(whole, half)
        assert_close(half, whole, atol=0.05, rtol=0.05)

    def test_the_gradient_of_one_member_touches_its_own_weights_alone(self) -> None:
        model = network(placed=True).train()
        model({"bases": of_many_lengths()})[1].square().sum().backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None
            rows = weight.grad if weight.shape[0] % MEMBERS == 0 else weight.grad.transpose(0, 1)
            touched = rows.unflatten(0, (MEMBERS, -1)).flatten(1).any(dim=1)
            assert touched.tolist() == [False, True, False], name

    def test_blocks_are_born_as_if_they_were_not_there(self) -> None:
        model, codes = network(awake=False), of_many_lengths()
        before = model({"bases": codes})
        model.blocks = nn.ModuleList()
        assert torch.equal(model({"bases": codes}), before)
        awake = network()
        with_blocks = awake({"bases": codes})
        awake.blocks = nn.ModuleList()
        assert not torch.equal(awake({"bases": codes}), with_blocks)

    def test_a_block_is_gated_and_weighed_channel_by_channel(self) -> None:
        torch.manual_seed(0)
        block = GatedBlock(1, CHANNELS, apart=2).eval()
        nn.init.ones_(block.scale)
        signal = torch.randn(2, CHANNELS, LENGTH)
        known, share = torch.ones(2, 1, LENGTH), torch.full((2, LENGTH, 1), 1 / LENGTH)
        convolved = nn.functional.conv1d(
            signal / (1 + 1e-5) ** 0.5, block.convolution.weight, block.convolution.bias, padding=4, dilation=2
        )
        gated = convolved[:, :CHANNELS] * convolved[:, CHANNELS:].sigmoid()
        weight = block.excite(nn.functional.silu(block.squeeze(gated.mean(dim=2, keepdim=True)))).sigmoid()
        assert_close(block(signal, known, share), signal + weight * gated)

    def test_a_block_sees_nothing_after_the_end(self) -> None:
        torch.manual_seed(0)
        block = GatedBlock(1, CHANNELS, apart=2).eval()
        nn.init.ones_(block.scale)
        signal, end = torch.randn(2, CHANNELS, LENGTH), 11
        known = (torch.arange(LENGTH) < end).float().expand(2, 1, LENGTH)
        whole = block(signal, known, known.transpose(1, 2) / end)
        cut = block(signal[:, :, :end], torch.ones(2, 1, end), torch.full((2, end, 1), 1 / end))
        assert_close(whole[:, :, :end], cut)

    def test_the_same_rows_give_the_same_bits_twice(self) -> None:
        for both in (False, True):
            model, codes = network(both=both), of_many_lengths()
            assert torch.equal(model({"bases": codes}), model({"bases": codes}))

    def test_each_row_is_answered_by_itself_alone(self) -> None:
        model, codes = network(), of_many_lengths()
        alone = [model({"bases": codes[row : row + 1]}) for row in range(len(codes))]
        assert_close(torch.cat(alone, dim=1), model({"bases": codes}), rtol=0, atol=0.02)  # bfloat16 has 8 bits

    @pytest.mark.parametrize("both", [False, True])
    def test_what_stands_after_the_end_does_not_count(self, both: bool) -> None:
        codes = of_many_lengths()
        model, longer = network(segments=0, both=both), network(segments=0, both=both, length=3 * LENGTH)
        padded = nn.functional.pad(codes, (0, 2 * LENGTH), value=PADDING)
        assert_close(longer({"bases": padded}), model({"bases": codes}), rtol=0, atol=0.02)
        unknown = torch.where(codes == PADDING, UNKNOWN, codes)
        assert (model({"bases": unknown}) - model({"bases": codes})).abs().max() > 0.05, "bases that are not known do"

    @given(st.integers(0, 10**6))
    def test_with_both_strands_a_sequence_and_its_reverse_complement_get_the_very_same_answer(self, seed: int) -> None:
        ends = torch.randint(0, LENGTH + 1, (6, 1), generator=torch.Generator().manual_seed(seed))
        codes = torch.where(torch.arange(LENGTH) < ends, some_codes(6, seed=seed), PADDING)
        model, turned = network(both=True), reverse_complement(codes)
        assert torch.equal(model({"bases": codes}), model({"bases": turned}))
        if not torch.equal(codes, turned):
            one = network(both=False)
            assert not torch.equal(one({"bases": codes}), one({"bases": turned}))

    def test_where_places_count_the_same_bases_elsewhere_are_answered_otherwise(self) -> None:
        codes = torch.full((2, 100), UNKNOWN, dtype=torch.uint8)
        codes[0, 30:38], codes[1, 60:68] = MOTIF, MOTIF  # the ends are out of reach
        anywhere = network(segments=0, length=100)({"bases": codes})
        assert_close(anywhere[:, 0], anywhere[:, 1], rtol=0, atol=0.01)
        placed = network(segments=0, length=100, placed=True)({"bases": codes})
        assert (placed[:, 0] - placed[:, 1]).abs().max() > 0.04


class TestVaried:
    """A batch as it might have been."""

    def test_a_few_bases_are_others_and_padding_stays(self) -> None:
        torch.manual_seed(0)
        codes = of_many_lengths(400)
        changed = varied(codes, moved=0)
        assert torch.equal(changed == PADDING, codes == PADDING)
        share = (changed != codes)[codes < UNKNOWN].float().mean().item()
        assert 0.01 < share < 0.02, "a fiftieth is replaced, a quarter of these by itself"

    def test_a_sequence_is_moved_by_three_bases_at_most(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("firstlight.plain.strands.MUTATED", 0.0)
        torch.manual_seed(0)
        codes = some_codes(300)
        codes[codes == UNKNOWN] = 0
        changed = varied(codes, moved=3)
        moves = set()
        for before, after in zip(codes.tolist(), changed.tolist(), strict=True):
            around = [*[UNKNOWN] * 3, *before, *[UNKNOWN] * 3]
            moves.add(next(start for start in range(7) if around[start : start + LENGTH] == after))
        assert moves == set(range(7))
        assert changed.shape == codes.shape


def planted(rows: int, *, strand: bool, placed: bool, length: int = 60) -> tuple[Tensor, Tensor]:
    """Sequences by chance. Those of class 1 hold a motif: on the one strand or on either, in one place or anywhere.

    Where it is one place, those of class 0 hold it in another.
    """
    chance = random.Random(5)
    codes = some_codes(rows, length).clamp_max(3)
    targets = torch.arange(rows) % 2
    for row in range(0 if placed else 1, rows, 1 if placed else 2):
        place = 20 + 20 * int(targets[row] == 0) if placed else chance.randrange(length - len(MOTIF))
        codes[row, place : place + len(MOTIF)] = MOTIF
        if strand and chance.random() < 0.5:
            codes[row] = reverse_complement(codes[row : row + 1])[0]
    return codes, targets


class TestFit:
    """Step 3, gradient descent."""

    @pytest.mark.parametrize("both", [False, True])
    def test_a_planted_motif_is_found(self, both: bool) -> None:
        codes, targets = planted(300, strand=both, placed=not both)
        torch.manual_seed(0)
        model = Strands("bases", 1, 8, 60, 0, 2, placed=not both, both=both, half=False)
        learns = learning(torch.arange(300) % 4, 1)
        epochs = list(fit_strands(model, {"bases": codes}, targets, learns, member_log_losses, 14, 25, 0.01, 0.05))
        assert [number for number, _, _ in epochs] == list(range(1, 15))
        assert epochs[-1][1] < epochs[0][1]
        assert epochs[-1][2] < 0.55, "on rows that were held out; a coin has 0.69"

    def test_a_number_is_learned(self) -> None:
        codes, targets = planted(400, strand=False, placed=True)
        torch.manual_seed(0)
        model = Strands("bases", 1, 8, 60, 4, 1, placed=True, both=False, half=True)
        learns = learning(torch.arange(400) % 4, 1)
        numbers = targets * 2.0 - 1
        epochs = list(fit_strands(model, {"bases": codes}, numbers, learns, member_squared_errors, 10, 25, 0.01, 0.05))
        assert epochs[-1][2] < 0.5, "the variance is 1"

    def test_the_same_seed_gives_the_same_bits(self) -> None:
        codes, targets = planted(40, strand=True, placed=False)
        told = []
        for _ in range(2):
            torch.manual_seed(3)
            model = Strands("bases", 2, 4, 60, 2, 2, placed=False, both=True, half=False)
            learns = learning(torch.arange(40) % 4, 2)
            epochs = list(fit_strands(model, {"bases": codes}, targets, learns, member_log_losses, 2, 16, 0.01, 0.05))
            told.append((epochs, model.state_dict()))
        assert told[0][0] == told[1][0]
        for name, value in told[0][1].items():
            assert torch.equal(value, told[1][1][name]), name

    def test_a_member_does_not_learn_from_the_rows_that_it_holds_out(self) -> None:
        codes, targets = planted(40, strand=False, placed=True)
        learns = learning(torch.arange(40) % 4, 1)
        weights = []
        for labels in (targets, torch.where(learns[0] == 1, targets, 1 - targets)):
            torch.manual_seed(0)
            model = Strands("bases", 1, 4, 60, 2, 2, placed=True, both=False, half=True)
            list(fit_strands(model, {"bases": codes}, labels, learns, member_log_losses, 2, 16, 0.01, 0.05))
            weights.append(model.output.weight.detach())
        assert torch.equal(*weights)


class TestDecisions:
    """What is decided from a quick look at the rows and from the time."""

    @staticmethod
    def told(codes: Tensor, targets: Tensor, *, equal: bool = True, may_be_both: bool = True) -> tuple[bool, bool]:
        aim = Aim(targets, 1 if targets.is_floating_point() else 2, folds=4, seconds=None, seed=0)
        return strands_told(codes, aim, equal=equal, may_be_both=may_be_both)

    @pytest.mark.parametrize("number", [False, True], ids=["classes", "numbers"])
    def test_a_motif_on_one_strand_in_one_place_is_told_from_one_anywhere_on_either(self, number: bool) -> None:
        for strand, placed in ((False, True), (True, False)):
            codes, targets = planted(800, strand=strand, placed=placed)
            aim = targets * 3.0 if number else targets
            assert self.told(codes, aim.double() if number else aim) == (placed, strand)

    def test_a_motif_anywhere_on_one_strand_is_neither(self) -> None:
        assert self.told(*planted(1500, strand=False, placed=False)) == (False, False)

    def test_places_do_not_count_among_sequences_of_many_lengths_nor_both_strands_of_several_columns(self) -> None:
        assert not self.told(*planted(200, strand=False, placed=True), equal=False)[0]
        assert not self.told(*planted(200, strand=True, placed=False), may_be_both=False)[1]

    def test_the_look_is_the_same_twice_and_leaves_chance_alone(self) -> None:
        codes, targets = planted(300, strand=True, placed=False)
        torch.manual_seed(7)
        found = self.told(codes, targets)
        drawn = torch.rand(3)
        torch.manual_seed(7)
        assert torch.equal(torch.rand(3), drawn)
        assert self.told(codes, targets) == found

    @given(
        rows=st.integers(2, 10**6), length=st.integers(1, 4000), short=st.floats(0.001, 4000), more=st.floats(1, 10),
        speed=st.floats(1e3, 1e8),
    )  # fmt: skip
    def test_more_time_is_never_less_work(
        self, rows: int, length: int, short: float, more: float, speed: float
    ) -> None:
        first, second = effort(rows, length, short, speed), effort(rows, length, short * more, speed)
        assert first[0] * first[1] <= second[0] * second[1]
        for members, epochs in (first, second, effort(rows, length, None, speed)):
            assert 1 <= members <= MOST_MEMBERS
            assert 2 <= epochs <= MOST_EPOCHS

    def test_what_was_asked_for_is_about_what_it_takes(self) -> None:
        for seconds in (5.0, 20.0, 45.0):
            members, epochs = effort(10_000, 100, seconds, 1e6)  # a second an epoch of one member
            assert 0.5 * seconds <= members * epochs <= seconds

    def test_a_batch_holds_fewer_sequences_the_longer_they_are(self) -> None:
        sizes = [batch_size(members, length) for members, length in ((1, 100), (4, 300), (4, 2000), (4, 10**5))]
        assert sizes == [BATCH, BATCH, 32, 8]

    def test_in_the_shortest_time_what_is_quickest_is_fitted_and_in_a_long_one_everything(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dna, "bases_a_second", lambda: 1e5)
        chance = random.Random(0)
        rows = pl.DataFrame({"bases": ["".join(chance.choices("ACGT", k=100)) for _ in range(1000)]})
        columns = {"bases": DnaSettings(length=100, equal=True)}
        targets = torch.arange(1000) % 2
        given = {0.01: (False, False), 6.0: (True, False), 60.0: (True, True), None: (True, True)}
        for seconds, expected in given.items():
            parts = part_settings(rows, columns, Aim(targets, 2, folds=8, seconds=seconds, seed=0))
            assert "runs" in parts
            assert ("motifs" in parts, "pairs" in parts) == expected, seconds

    def test_long_sequences_come_in_small_batches_and_too_many_bases_are_not_counted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dna, "bases_a_second", lambda: 1e7)
        monkeypatch.setattr(dna, "MOST_BASES", 150_000)
        columns = {"bases": DnaSettings(length=2000, equal=True)}
        for rows, runs in ((60, True), (90, False)):
            table = pl.DataFrame({"bases": ["ACGTTGCA" * 250] * rows})
            parts = part_settings(table, columns, Aim(torch.arange(rows) % 2, 2, folds=8, seconds=60.0, seed=0))
            assert parts["motifs"].model_dump()["batch"] == batch_size(4, 2000) < BATCH
            assert ("runs" in parts) == runs

    def test_the_speed_is_measured_once_and_then_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(dna, "_measure", lambda: 1e6)
        assert bases_a_second() == 1e6
        monkeypatch.setattr(dna, "_measure", lambda: 2e6)
        assert bases_a_second() == 1e6
        kept = json.loads((tmp_path / "firstlight" / "machine.json").read_text())
        assert list(kept.values())[1:] == [1e6], "beside which precision is quicker"
        monkeypatch.setattr(dna.torch, "get_num_threads", lambda: 64)  # type: ignore[attr-defined]
        assert bases_a_second() == 2e6

    @pytest.mark.parametrize(("half", "float_seconds"), [(True, 3.0), (False, 0.1), (False, 1.0)])
    def test_half_precision_is_used_where_it_is_clearly_quicker(
        self, half: bool, float_seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        seconds = {torch.float32: float_seconds, torch.bfloat16: 1.0}
        monkeypatch.setattr(precision, "_seconds", seconds.__getitem__)
        assert half_pays() is half

    def test_a_real_machine_is_neither_infinitely_fast_nor_standing_still(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert 1e3 < bases_a_second() < 1e10
