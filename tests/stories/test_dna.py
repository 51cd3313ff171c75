"""DNA, from a file of sequences to a tested model, its predictions and its script."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import torch

import firstlight
from firstlight.checking import ColumnSeen, Remark, check
from firstlight.kinds.dna import DNA, MOTIFS, PAIRS, RUNS, MotifsSettings, RunsSettings
from firstlight.kinds.number import NUMBER
from firstlight.kinds.text import TEXT
from firstlight.model.answers import ClassAnswers
from firstlight.model.predictor import NETWORK
from firstlight.plan.plan import LEFT_OUT
from firstlight.store.model_file import load_model
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit
    from tests.stories.conftest import Printed, Run

ROWS = 60
MOTIF = "TATAAAGC"
OTHER_STRAND = str.maketrans("ACGT", "TGCA")
ENOUGH = 30.0  # seconds, in which so few rows are read by every part; it takes a fraction of that


def sequences(rows: int = ROWS, shortest: int = 40, longest: int = 40, seed: int = 0) -> list[str]:
    """Sequences by chance; every other one, the promoters, holds a motif."""
    chance = random.Random(seed)
    drawn = ["".join(chance.choices("ACGT", k=chance.randint(shortest, longest))) for _ in range(rows)]
    return [bases[:8] + MOTIF + bases[16:] if number % 2 else bases for number, bases in enumerate(drawn)]


def turned_round(sequence: str) -> str:
    """The reverse complement."""
    return sequence[::-1].translate(OTHER_STRAND)


CLASSES = ["promoter" if number % 2 else "other" for number in range(ROWS)]


def fasta(path: Path, headers: list[str], bases: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f">{header}\n{each}\n" for header, each in zip(headers, bases, strict=True)))
    return path


def labelled(path: Path, seed: int = 0) -> Path:
    """A FASTA with labels in its headers."""
    headers = [f"s{number} class:{label}" for number, label in enumerate(CLASSES)]
    return fasta(path, headers, sequences(seed=seed))


def table(shortest: int = 40, longest: int = 40) -> pl.DataFrame:
    return pl.DataFrame({"bases": sequences(shortest=shortest, longest=longest), "label": CLASSES})


def said(printed: Printed) -> str:
    """What was printed, with every gap one blank."""
    assert (printed.status, printed.err) == (0, "")
    return " ".join(printed.out.split())


def test_the_bases_of_the_motif_are_what_moves_the_answers_and_what_the_logos_draw(fit: Fit, tmp_path: Path) -> None:
    rows = pl.DataFrame({"bases": sequences(400), "label": CLASSES[:2] * 200})
    run = fit(rows, Choices("label", seconds=ENOUGH), out=tmp_path / "run", keep=NETWORK, page=True)
    motif = set(range(9, 9 + len(MOTIF)))  # places are counted from 1
    answered = firstlight.predict(run, rows[1:40:2], why=True)
    assert set(answered.frame["label"]) == {"promoter"}
    for why in answered.whys:
        places = [moved.number for moved in why.moved[:4]]
        assert len(motif.intersection(places)) >= 3, "what moved the answer most stands in the motif"
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    found = re.search(r"matter when it says promoter\? [^<]*The strongest: (.) at (\d+)", page)
    assert found
    letter, place = found.groups()
    assert letter == MOTIF[int(place) - 9]


def test_a_look_at_long_sequences_tells_how_much_of_them_is_read() -> None:
    long = pl.DataFrame({"bases": ["ACGTTGCA" * 300, *sequences(40)]})
    assert check(long).columns[0].text.startswith("40 to 2 400 bases, of which the first 2 000 are read; A ")
    assert "are read" not in check(long[1:]).columns[0].text


def test_a_report_on_long_sequences_says_about_which_of_their_bases_it_asked(fit: Fit, tmp_path: Path) -> None:
    rows = pl.DataFrame({"bases": sequences(60, shortest=2400, longest=2400), "label": CLASSES[:2] * 30})
    fit(rows, Choices("label", seconds=0.01), keep=NETWORK, out=tmp_path / "run", page=True)
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "Each of the first 166 bases was replaced by each of the three others. A letter is" in page


class TestFiles:
    """Files of sequences, wherever their labels stand."""

    def test_a_fasta_is_fitted_predicted_and_evaluated_without_a_word_about_its_columns(self, run: Run) -> None:
        labelled(Path("seqs.fa"))
        told = said(run("fit", "seqs.fa", "--time", "0.01", "--out", "run"))
        assert "label target 2 classes (other 30, promoter 30) id left out it names the record" in told
        assert "sequence dna 40 bases each; A " in told
        unlabelled = fasta(Path("new.fa"), [f"n{number} from afar" for number in range(6)], sequences(6, seed=1))
        assert said(run("predict", "run", unlabelled)) == "new.fa: predicted 6 rows into predictions.csv"
        answers = pl.read_csv("predictions.csv")
        assert answers.columns == ["id", "label", "P(other)", "P(promoter)"]
        assert answers["id"].to_list() == [f"n{number}" for number in range(6)]
        labelled(Path("fresh.fa"), seed=2)
        assert "On 60 rows of fresh.fa; look 1 at them" in said(run("evaluate", "run", "fresh.fa"))

    def test_the_score_is_also_given_without_records_that_both_files_hold(self, run: Run) -> None:
        """Of the test's records twenty are the training file's, half of these its reverse complements."""
        labelled(Path("train.fa"))
        old, fresh = sequences(), sequences(seed=1)
        bases = [*old[:10], *map(turned_round, old[10:20]), *fresh[20:]]
        wrong = ["promoter" if label == "other" else "other" for label in CLASSES[20:40]]
        labels = [*CLASSES[:20], *wrong, *CLASSES[40:]]  # the score without is another one, whatever was learned
        fasta(Path("test.fa"), [f"t{number} class:{label}" for number, label in enumerate(labels)], bases)
        told = said(run("fit", "train.fa", "--test", "test.fa", "--time", "0.01", "--out", "run"))
        assert "10 of 60 test rows stand in the training rows too, and 10 of 60 test rows are nearly equal" in told
        answers = firstlight.predict("run", "test.fa").frame["label"].to_list()
        right = [answer == label for answer, label in zip(answers, labels, strict=True)]
        alone, together = (f"{100 * sum(part) / len(part):.1f} %" for part in (right[20:], right))
        assert alone != together
        told = told.replace("\u202f", " ").replace("\xa0", " ")
        assert f"Without the 20 test rows that the training rows hold too, or nearly: right {alone}" in told
        assert told.endswith(f"with them {together}.")

    def test_labels_by_a_pattern_of_ones_own(self, run: Run) -> None:
        headers = [f"s{number} kind={label[0]}/{number}" for number, label in enumerate(CLASSES)]
        fasta(Path("seqs.fa"), headers, sequences())
        told = said(run("fit", "seqs.fa", "--label", r"kind=(\w)", "--time", "0.01", "--out", "run"))
        assert r"label by kind=(\w) in the headers" in told
        assert "label target 2 classes (o 30, p 30)" in told
        fasta(Path("new.fa"), headers[:20], sequences(20, seed=1))
        assert "On 20 rows of new.fa" in said(run("evaluate", "run", "new.fa", "--label", r"kind=(\w)"))

    def test_labels_in_a_second_table(self, run: Run) -> None:
        names = [f"s{number}" for number in range(ROWS)]
        fasta(Path("seqs.fa"), names, sequences())
        pl.DataFrame({"id": names, "strength": CLASSES}).reverse().write_csv("labels.csv")
        told = said(run("fit", "seqs.fa", "--labels", "labels.csv", "--time", "0.01", "--out", "run"))
        assert "label by a second table" in told
        assert "label target 2 classes (other 30, promoter 30)" in told
        assert said(run("predict", "run", "seqs.fa")).endswith("predicted 60 rows into predictions.csv")

    def test_labels_of_a_test_file_stand_in_the_second_table_too(self, run: Run) -> None:
        names = [f"s{number}" for number in range(2 * ROWS)]
        fasta(Path("seqs.fa"), names[:ROWS], sequences())
        fasta(Path("new.fa"), names[ROWS:], sequences(seed=1))
        pl.DataFrame({"id": names, "strength": [*CLASSES, *CLASSES]}).write_csv("labels.csv")
        asked = ("fit", "seqs.fa", "--test", "new.fa", "--labels", "labels.csv", "--time", "0.01", "--out", "run")
        assert "label target 2 classes (other 60, promoter 60)" in said(run(*asked))
        Path("new.fa").unlink()
        assert "On the run's own 60 test rows" in said(run("evaluate", "run"))

    def test_a_folder_for_each_class(self, run: Run) -> None:
        for label in ("other", "promoter"):
            mine = [bases for bases, its in zip(sequences(), CLASSES, strict=True) if its == label]
            fasta(Path(f"seqs/{label}/part.fa"), [f"{label}{number}" for number in range(len(mine))], mine)
        told = said(run("fit", "seqs", "--test", "none", "--time", "0.01", "--out", "run"))
        assert "label by folder" in told
        assert "label target 2 classes (other 30, promoter 30) id left out it names the record" in told
        assert firstlight.load("run").predictor.plan.beware == (), (
            "the names tell the label, and are never learned from"
        )

    def test_a_packed_fastq_with_windows_line_ends(self, run: Run) -> None:
        records = [
            f"@r{number} class={label}\r\n{bases}\r\n+\r\n{'I' * len(bases)}\r\n"
            for number, (label, bases) in enumerate(zip(CLASSES, sequences(), strict=True))
        ]
        Path("reads.fastq.gz").write_bytes(gzip.compress("".join(records).encode()))
        told = said(run("fit", "reads.fastq.gz", "--time", "0.01", "--out", "run"))
        assert "label target 2 classes (other 30, promoter 30)" in told
        assert run("predict", "run", "reads.fastq.gz", "-o", "answers.parquet").status == 0
        answers = pl.read_parquet("answers.parquet")
        assert answers["id"].to_list() == [f"r{number}" for number in range(ROWS)]

    def test_both_doors_name_the_records_and_a_target_of_that_name_keeps_its_own(
        self, fit: Fit, tmp_path: Path
    ) -> None:
        run = fit(table().rename({"bases": "sequence", "label": "id"}), Choices("id"))
        new = fasta(tmp_path / "new.fa", ["a", "b"], sequences(2, seed=1))
        frames = (run.predict(new), firstlight.predict(run, new).frame)
        for frame in frames:
            assert frame.columns == ["id'", "id", "P(other)", "P(promoter)"]
            assert frame["id'"].to_list() == ["a", "b"]
        assert run.predict(pl.DataFrame({"sequence": sequences(2)})).columns[0] == "id"

    def test_a_look_before_the_fit_takes_the_labels_of_the_file_for_its_target(self, run: Run) -> None:
        labelled(Path("seqs.fa"))
        told = said(run("check", "seqs.fa"))
        assert "label target 2 classes (other 30, promoter 30)" in told
        assert "--target" not in told


class TestScript:
    """What is ejected."""

    def test_the_script_of_a_fasta_with_wrapped_lines_retrains_every_part(
        self, fit: Fit, bare: Bare, tmp_path: Path
    ) -> None:
        source = labelled(tmp_path / "seqs.fa")
        source.write_text("".join(f"{line[:25]}\n{line[25:]}\n" if line[0] != ">" else f"{line}\n" for line in (
            source.read_text().splitlines()
        )))  # fmt: skip
        run = fit(source, Choices("label", seconds=ENOUGH))
        assert {MOTIFS.name, RUNS.name, PAIRS.name} <= run.predictor.plan.parts.keys()
        assert run.folder is not None
        text, fault = bare(run.folder / "train.py")
        assert (fault, text.splitlines()[-1]) == ("", "the same model, to the last bit")


class TestTables:
    """A column of sequences among others."""

    def test_sequences_numbers_and_texts_in_one_table(self, fit: Fit, bare: Bare) -> None:
        chance = random.Random(3)
        words = "a strong weak binding site near the start of gene and far from it".split()
        rows = table().with_columns(
            length=pl.Series([chance.gauss(0, 1) for _ in range(ROWS)]),
            remark=pl.Series([" ".join(chance.choices(words, k=9)) for _ in range(ROWS)]),
        )
        run = fit(rows, Choices("label", seconds=ENOUGH), keep=NETWORK)
        kinds = {column.name: column.kind for column in run.predictor.plan.columns}
        assert kinds == {"bases": DNA.name, "length": NUMBER.name, "remark": TEXT.name}
        assert run.folder is not None
        again = load_model(run.folder / "model.safetensors").predictor
        assert torch.equal(probabilities(again.answer(rows)), probabilities(run.predictor.answer(rows)))
        text, fault = bare(run.folder / "train.py")
        assert (fault, text.splitlines()[-1]) == ("", "the same model, to the last bit")

    def test_a_name_that_tells_the_label_is_named_and_spoils_the_verdict_only_where_it_is_used(self, fit: Fit) -> None:
        for rows_a_name, used in ((1, False), (4, True)):
            names = [f"{label}-{number // rows_a_name}" for number, label in enumerate(CLASSES)]
            run = fit(table().with_columns(name=pl.Series(names)), Choices("label", test=0.0))
            assert [each.column for each in run.predictor.plan.beware] == ["name"]
            assert ("name" in run.predictor.plan.inputs) == used
            assert ("name may give the answer away" in run.verdict) == used

    def test_two_columns_of_sequences(self, fit: Fit) -> None:
        rows = table().with_columns(guide=pl.Series(sequences(shortest=20, longest=24, seed=4)))
        run = fit(rows, Choices("label", seconds=ENOUGH), keep=NETWORK)
        assert set(run.predictor.plan.inputs) == {"bases", "guide"}
        assert not run.predictor.plan.parts[MOTIFS.name].both  # type: ignore[attr-defined]
        for name in ("bases", "guide"):
            changed = rows.with_columns(rows[name].reverse())
            assert not probabilities(run.predictor.answer(changed)).equal(probabilities(run.predictor.answer(rows)))

    def test_a_number_is_predicted_from_sequences(self, fit: Fit, bare: Bare) -> None:
        chance = random.Random(2)
        strengths = [chance.gauss(3.0 if label == "promoter" else 1.0, 0.2) for label in CLASSES]
        run = fit(table().with_columns(label=pl.Series(strengths)), Choices("label", seconds=ENOUGH), keep=NETWORK)
        assert run.predict(table())["label"].is_finite().all()
        assert run.folder is not None
        text, fault = bare(run.folder / "train.py")
        assert (fault, text.splitlines()[-1]) == ("", "the same model, to the last bit")

    @pytest.mark.parametrize(("shortest", "longest"), [(40, 40), (20, 50)], ids=["equal lengths", "many lengths"])
    def test_with_both_strands_the_whole_network_answers_a_sequence_and_its_reverse_complement_alike(
        self, fit: Fit, shortest: int, longest: int
    ) -> None:
        rows = table(shortest, longest)
        decided = fit(rows, Choices("label", seconds=ENOUGH)).predictor.plan
        assert {MOTIFS.name, RUNS.name, PAIRS.name} <= decided.parts.keys()
        alike: dict[type, dict[str, object]] = {
            MotifsSettings: {"placed": False}, RunsSettings: {"places": (), "runs": (4, 5)},
        }  # fmt: skip
        both = {
            name: settings.model_copy(update={"both": True, "epochs": 2, **alike[type(settings)]})
            for name, settings in decided.parts.items()
        }
        run = fit(rows, Choices(), plan=decided.model_copy(update={"parts": both}), keep=NETWORK)
        new = pl.DataFrame({"bases": sequences(40, shortest, longest, seed=6)})
        new = pl.concat([new, pl.DataFrame({"bases": ["", "ACGTNNRY--acgtt", "A" * 90]})])
        turned = new.with_columns(bases=pl.Series([turned_round(cell) for cell in new["bases"][:-2]] + [
            "aacgt--RYNNACGT", "T" * 90
        ]))  # fmt: skip
        answers, others = (run.predictor.answer(each) for each in (new, turned))
        assert torch.equal(probabilities(answers), probabilities(others))
        assert len(probabilities(answers).unique(dim=0)) > 30


def probabilities(answers: object) -> torch.Tensor:
    assert isinstance(answers, ClassAnswers)
    return answers.probabilities


class TestCheck:
    """A look at sequences before a fit."""

    @staticmethod
    def seen(cells: list[str | None]) -> ColumnSeen:
        return next(column for column in check(pl.DataFrame({"bases": cells})).columns if column.name == "bases")

    def test_it_tells_how_long_sequences_are_and_what_they_are_made_of(self) -> None:
        assert self.seen(["ACGT" * 5, "AAGT" * 5, "UUGG" * 5, "acgt" * 5]) == ColumnSeen(
            "bases", "dna", "20 bases each; A 25.0 %, C 12.5 %, G 31.2 %, T 31.2 %", 0
        )
        assert self.seen(["ACGTN" * 4, "ACGT-" * 5, None]) == ColumnSeen(
            "bases", "dna", "20 to 25 bases; A 20.0 %, C 20.0 %, G 20.0 %, T 20.0 %, other letters 20.0 %", 1
        )

    def test_letters_that_are_no_bases_are_named(self) -> None:
        cells = [*sequences(), "ACGTACGTACGTACGTJACGTZ", "no DNA"]
        remarks = check(pl.DataFrame({"bases": cells})).remarks
        assert Remark("bases", "2 cells with letters that are not DNA ('JZ' and 'no DNA'): read as unknown") in remarks

    def test_where_the_length_tells_the_class_a_look_says_so(self, tmp_path: Path) -> None:
        bases = [f"{each}A" if number % 2 else each for number, each in enumerate(sequences())]
        source = fasta(tmp_path / "seqs.fa", [f"s{n} class:{label}" for n, label in enumerate(CLASSES)], bases)
        why = "tells label by the mere length of its cells: were all of them collected in the same way?"
        assert Remark("sequence", why) in check(source).remarks


def test_the_guides_that_come_again_in_azimuth_are_told_and_stay_together(shared: Path, fit: Fit) -> None:
    rows = pl.read_parquet(shared / "data" / "dna" / "azimuth.train.parquet").select("sequence", "label")[:400]
    again = 400 - rows["sequence"].n_unique()
    assert again > 20
    run = fit(rows, Choices("label"))
    note = next(note for note in run.notes if "stays together" in note)
    assert note.startswith("sequence: ")
    assert int(note.split()[1]) >= 2 * again - 400 // 2


def test_the_name_that_tells_the_site_in_splice_is_named_as_a_leak_used_or_left_out(shared: Path) -> None:
    rows = pl.read_parquet(shared / "data" / "dna" / "splice.train.parquet")
    for part, beginning in (
        (rows, "gives the answer away: 'NEG'"),
        (rows.unique("name", maintain_order=True), "is left out, and would know"),
    ):
        found = check(part, "label")
        remarks = [remark.text for remark in found.remarks if remark.about == "name"]
        assert len(remarks) == 1
        assert remarks[0].startswith(beginning)
        assert all(f"'{word}'" in remarks[0] for word in ("NEG", "ACCEPTOR", "DONOR"))
        others = [remark.text for remark in found.remarks if remark.about in ("locus", "sequence")]
        assert all("nearly equal to another" in text for text in others)
    assert {column.name: column.kind for column in found.columns}["name"] == LEFT_OUT
