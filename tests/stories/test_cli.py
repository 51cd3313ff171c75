"""From a command line to what it prints, its exit status, and the files that it leaves."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from firstlight.cli.escaping import printable
from firstlight.cli.fit import follow
from firstlight.workflow import Event, Interrupted

if TYPE_CHECKING:
    from tests.stories.conftest import Run

FIRSTLIGHT = Path(sys.executable).parent / "firstlight"


def words(text: str) -> str:
    """The text with every gap one blank, so that line breaks do not matter."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of the penguins, two epochs long; not to be changed."""
    from firstlight import datasets, fit

    folder = tmp_path_factory.mktemp("fitted") / "penguins"
    fit(datasets.penguins(), "species", time=0.01, out=folder)
    return folder


class TestFit:
    """The first minute."""

    def test_a_fit_tells_the_six_steps_in_order_and_ends_with_the_verdict(self, run: Run, penguins: Path) -> None:
        done = run("fit", penguins, "--target", "species", "--time", "0.01s")
        assert (done.status, done.err) == (0, "")
        steps = re.findall(r"^\d \w+", done.out, re.MULTILINE)
        assert steps == ["1 Prepare", "2 Build", "3 Fit", "4 Evaluate", "5 Save", "6 Together"]
        said = words(done.out)
        assert "penguins.csv: 344 rows, 7 columns, comma, utf-8" in said
        assert "species target 3 classes (Adelie 152, Gentoo 124, Chinstrap 68)" in said
        assert (
            "69 rows set aside as the test, 20 % of each class by chance; nothing below looks at them until step 4"
            in said
        )
        assert "on the 69 test rows, opened once" in said
        assert re.search(r"◀ kept$", done.out, re.MULTILINE)
        verdict = said.partition("every decision with its reason; edit it for fit --plan ")[2]
        assert verdict.startswith("For rows it has never seen, ")

    def test_a_fit_leaves_all_files_of_a_run(self, run: Run, penguins: Path) -> None:
        run("fit", penguins, "--target", "species", "--time", "0.01s")
        assert sorted(path.name for path in Path("runs/penguins").iterdir()) == [
            "log.jsonl", "metrics.json", "model.safetensors", "plan.toml", "report.html", "train.py",
        ]  # fmt: skip

    def test_a_second_fit_does_not_write_over_the_first(self, run: Run, penguins: Path) -> None:
        for _ in range(2):
            run("fit", penguins, "--target", "species", "--time", "0.01s")
        assert sorted(path.name for path in Path("runs").iterdir()) == ["penguins", "penguins-2"]

    def test_into_a_pipe_go_no_bar_and_no_escape_codes(self, run: Run, penguins: Path) -> None:
        done = run("fit", penguins, "--target", "species", "--time", "0.01s")
        assert "━" not in done.out
        assert "\x1b" not in done.out

    def test_a_plan_that_was_edited_is_followed(self, run: Run, penguins: Path) -> None:
        run("plan", penguins, "--target", "species", "-o", "plan.toml")
        plan = Path("plan.toml")
        plan.write_text(re.sub(r"epochs = \d+", "epochs = 2", plan.read_text(encoding="utf-8")), encoding="utf-8")
        done = run("fit", "--plan", "plan.toml", "--out", "run")
        assert done.status == 0, done.err
        assert "network: 2 of 2 epochs" in done.out
        assert "epochs = 2" in Path("run/plan.toml").read_text(encoding="utf-8")

    def test_without_test_rows_the_verdict_says_not_tested(self, run: Run, penguins: Path) -> None:
        done = run("fit", penguins, "--target", "species", "--time", "0.01s", "--test", "none")
        assert "no rows set aside: the model will not be tested" in words(done.out)
        assert "Not tested: no rows were set aside" in words(done.out)

    def test_many_columns_take_no_more_than_a_screen(self, run: Run) -> None:
        columns = {f"number {place}": [str(row * place % 97 / 10) for row in range(60)] for place in range(1, 301)}
        pl.DataFrame({**columns, "y": ["a", "b", "a"] * 20}).write_csv("wide.csv")
        done = run("fit", "wide.csv", "--target", "y", "--time", "0.01s")
        assert done.status == 0, done.err
        assert len(done.out.splitlines()) < 45

    def test_what_strangers_wrote_reaches_the_terminal_harmless(self, run: Run) -> None:
        name = "\x1b[31mred[/]\x07"
        cells = [f"[bold]{row % 4}\x1b]0;title" for row in range(60)]
        pl.DataFrame({name: cells, "y": ["a", "b"] * 30}).write_parquet("t.parquet")
        for command in (
            ("fit", "t.parquet", "--target", "y", "--time", "0.01s"),
            ("check", "t.parquet", "--target", "y"),
        ):
            done = run(*command)
            assert done.status == 0, done.err
            assert "\x1b" not in done.out
            assert "\x07" not in done.out
            assert "[bold]" in done.out


class TestInterruption:
    """Ctrl-C."""

    @staticmethod
    def events() -> Generator[Event, None, None]:
        """A fit in small: endless epochs, cut short by an interruption, then one event more."""
        try:
            while True:
                yield Interrupted(0)
        except KeyboardInterrupt:
            yield Interrupted(1)
        yield Interrupted(2)

    def test_ctrl_c_while_an_epoch_is_told_is_handed_into_the_fit(self) -> None:
        told: list[int] = []

        def tell(event: Event) -> None:
            assert isinstance(event, Interrupted)
            told.append(event.epochs)
            if len(told) == 3:
                raise KeyboardInterrupt

        follow(self.events(), tell)
        assert told == [0, 0, 0, 1, 2]

    def test_a_second_ctrl_c_stops(self) -> None:
        def tell(event: Event) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            follow(self.events(), tell)

    def test_ctrl_c_keeps_the_best_so_far_and_says_so(self, tmp_path: Path) -> None:
        rows = 4000
        table = pl.DataFrame({f"x{place}": [row * 37 % (101 + place) for row in range(rows)] for place in range(8)})
        table.with_columns(y=pl.col("x0") + pl.col("x1")).write_csv(tmp_path / "t.csv")
        command: list[str | Path] = [FIRSTLIGHT, "fit", "t.csv", "--target", "y", "--time", "10m", "--out", "run"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("2 Build"):
                break
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert "Stopped by Ctrl-C: the best so far is kept" in words(out)
        assert (tmp_path / "run" / "model.safetensors").exists()


class TestTerminal:
    """A real terminal."""

    @pytest.mark.parametrize("colours", [False, True])
    def test_a_terminal_gets_a_bar_and_colours_only_where_they_are_wanted(
        self, colours: bool, tmp_path: Path, penguins: Path
    ) -> None:
        parent, child = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
        environment.pop("NO_COLOR", None)
        if not colours:
            environment["NO_COLOR"] = "1"
        command: list[str | Path] = [FIRSTLIGHT, "fit", penguins, "--target", "species", "--time", "0.5s"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=child, stderr=child, env=environment)
        os.close(child)
        shown = read_all(parent)
        assert process.wait() == 0
        assert "━" in shown
        assert "(Ctrl-C keeps the best so far)" in shown
        assert bool(re.search(r"\x1b\[(\d+;)?3\dm", shown)) == colours


def read_all(terminal: int) -> str:
    """All that comes out of a pseudo-terminal until its other end is closed."""
    found = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            piece = b""
        if not piece:
            os.close(terminal)
            return found.decode("utf-8")
        found += piece


class TestRefusals:
    """One sentence on standard error, exit status 2, nothing on standard output."""

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            ("fit pengiuns.csv --target species", "there is no file 'pengiuns.csv'; did you mean 'penguins.csv'?"),
            ("fit penguins.csv --target Speces", "penguins.csv has no column 'Speces'; did you mean 'species'?"),
            ("check penguins.csv --target speces", "penguins.csv has no column 'speces'; did you mean 'species'?"),
            (
                "fit penguins.csv",
                "name the column to predict by --target; penguins.csv has species, island, bill_length_mm, "
                "bill_depth_mm, flipper_length_mm, body_mass_g, sex.",
            ),
            ("fit", "name a table to learn from: firstlight fit SOURCE --target COLUMN."),
            (
                "fit penguins.csv --target species --group iland",
                "penguins.csv has no column 'iland'; did you mean 'island'?",
            ),
            (
                "fit penguins.csv --target species --test penguin.csv",
                "there is no file 'penguin.csv'; did you mean 'penguins.csv'?",
            ),
            (
                "fit penguins.csv --target species --test 1.5",
                "--test 1.5 is no share of the rows; choose one between 0 and 1, such as 0.2, or none.",
            ),
            (
                "fit penguins.csv --target species --group island --by-time island",
                "--by-time and --group are two ways to set rows aside; choose one.",
            ),
            (
                "fit penguins.csv --target species --group island --test none",
                "--test none and --group are two ways to set rows aside; choose one.",
            ),
            ("fit --plan plam.toml", "there is no file 'plam.toml'; check the path."),
            ("demo --rows 1", "--rows 1 makes no lesson; choose a number from 5 to 10000."),
            ("predict nothing.safetensors penguins.csv", "nothing.safetensors does not exist."),
            (
                "fit --tarket x",
                "there is no option --tarket; did you mean --target? `firstlight fit --help` says more.",
            ),
            ("fti", "there is no command 'fti'; did you mean 'fit'? `firstlight --help` says more."),
            ("predict", "MODEL is missing. `firstlight predict --help` says more."),
            (
                "fit penguins.csv --task clasification",
                "--task 'clasification' is not one of 'classification', 'regression'. "
                "`firstlight fit --help` says more.",
            ),
            ("fit x --seed y", "--seed needs a whole number. `firstlight fit --help` says more."),
        ],
    )
    def test_a_mistake_is_answered_with_one_sentence(self, run: Run, penguins: Path, line: str, sentence: str) -> None:
        Path("penguins.csv").write_bytes(penguins.read_bytes())
        assert run(*line.split()) == (2, "", f"{sentence}\n")

    def test_a_plan_bears_no_second_opinion(self, run: Run, penguins: Path, fitted: Path) -> None:
        plan = fitted / "plan.toml"
        assert run("fit", "--plan", plan, "--time", "1s").err == (
            "time stands in the plan; change it there, or leave the plan away.\n"
        )
        assert run("fit", penguins, "--target", "island", "--plan", plan).err == (
            "the plan predicts 'species', not 'island'; leave --target away.\n"
        )
        for option in ("label", "sheet"):
            assert run("fit", "--plan", plan, f"--{option}", "one").err == (
                f"{option} stands in the plan; change it there, or leave the plan away.\n"
            )
        assert run("fit", "--plan", plan, "--labels", penguins).err == (
            "--labels names the labels of a source of sequences; name that, too.\n"
        )
        assert run("fit", penguins, "--plan", plan, "--label", "(.)").err == (
            f"{penguins} holds no sequences (FASTA or FASTQ), which labels are looked up for; name --target.\n"
        )

    def test_control_characters_in_a_refusal_are_spelt_out(self, run: Run) -> None:
        assert run("fit", "\x1bc.csv", "--target", "y").err == ("there is no file '\\x1bc.csv'; check the path.\n")
        assert printable("a\x07b\nc") == "a\\x07b\nc"

    @pytest.mark.parametrize(
        "line",
        ["--help", "fit --help", "fit nothing.csv --target x", "fit penguins.csv --target speces", "predict no x.csv"],
    )
    def test_what_must_be_quick_does_not_wait_for_torch(self, line: str, tmp_path: Path, penguins: Path) -> None:
        (tmp_path / "penguins.csv").write_bytes(penguins.read_bytes())
        script = (
            "import sys\n"
            "from firstlight.cli.main import main\n"
            f"main({line.split()!r})\n"
            "print('loaded:', *({'torch', 'altair', 'rich'} & set(sys.modules)))\n"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "loaded:"


class TestFaults:
    """What the machine refuses: a sentence all the same."""

    @pytest.mark.parametrize(
        ("fault", "sentence"),
        [
            (MemoryError(), "This takes more memory than there is"),
            (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "more memory than there is"),
            (PermissionError(13, "Permission denied", "secret.csv"), "secret.csv: permission denied."),
            (OSError("the share is gone."), "The system refused: the share is gone."),
        ],
    )
    def test_it_is_said(self, fault: Exception, sentence: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def refusing(*arguments: object, **options: object) -> None:
            raise fault

        monkeypatch.setattr("firstlight.cli.main.application", refusing)
        done = run("check", "secret.csv")
        assert done.status == 2
        assert sentence in done.err
        assert len(done.err.splitlines()) == 1

    def test_a_fault_of_ours_is_not_hidden(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def failing(*arguments: object, **options: object) -> None:
            raise RuntimeError("shapes differ")

        monkeypatch.setattr("firstlight.cli.main.application", failing)
        with pytest.raises(RuntimeError, match="shapes differ"):
            run("check", "secret.csv")


class TestWhatIsThere:
    """Files that are there already."""

    def test_answers_never_replace_the_rows_that_they_answer(self, run: Run, fitted: Path, penguins: Path) -> None:
        Path("new.csv").write_bytes(penguins.read_bytes())
        done = run("predict", fitted, "new.csv", "-o", "./new.csv")
        assert (done.status, done.err) == (2, "new.csv is what the rows are read from; name another file with -o.\n")
        assert run("predict", fitted, "n*.csv", "-o", "new.csv").err == done.err
        assert Path("new.csv").read_bytes() == penguins.read_bytes()
        assert [run("predict", fitted, "new.csv", "-o", "answers.csv").status for _ in range(2)] == [0, 0]

    @pytest.mark.parametrize("command", ["eject", "plan"])
    def test_what_may_have_been_edited_is_not_written_over(
        self, command: str, run: Run, fitted: Path, penguins: Path
    ) -> None:
        Path("mine").write_text("edited")
        words = (fitted,) if command == "eject" else (penguins, "--target", "species")
        done = run(command, *words, "-o", "mine")
        assert (done.status, done.err) == (2, "mine is there already; name another file with -o.\n")
        assert Path("mine").read_text() == "edited"


class TestProcess:
    """What only a process of its own can show."""

    def test_a_refusal_ends_with_status_2_and_no_traceback(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [FIRSTLIGHT, "fit", "no.csv", "--target", "y"], cwd=tmp_path, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "there is no file 'no.csv'; check the path.\n"

    @pytest.mark.parametrize("line", ["--version", "check penguins.csv", "plan penguins.csv --target species"])
    def test_a_reader_that_has_seen_enough_is_no_error(self, line: str, tmp_path: Path, penguins: Path) -> None:
        (tmp_path / "penguins.csv").write_bytes(penguins.read_bytes())
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [FIRSTLIGHT, *line.split()], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True
        )
        os.close(writing)
        assert done.stderr == ""
        assert done.returncode == 141  # as the shell says it of any command that a closed pipe ended

    def test_a_table_comes_in_by_standard_input(self, tmp_path: Path, penguins: Path) -> None:
        with penguins.open("rb") as stream:
            done = subprocess.run(
                [FIRSTLIGHT, "check", "-"], cwd=tmp_path, stdin=stream, capture_output=True, text=True
            )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("standard input: 344 rows, 7 columns, comma, utf-8\n")


class TestCheck:
    """A look before a fit."""

    def test_it_says_what_each_column_is_taken_for(self, run: Run, penguins: Path) -> None:
        done = run("check", penguins, "--target", "species")
        assert (done.status, done.err) == (0, "")
        assert [words(line) for line in done.out.splitlines()] == [
            "penguins.csv: 344 rows, 7 columns, comma, utf-8",
            "species target 3 classes (Adelie 152, Gentoo 124, Chinstrap 68)",
            "island category Biscoe, Dream, Torgersen; no gaps",
            "bill_length_mm number 32.1 to 59.6; 2 gaps",
            "bill_depth_mm number 13.1 to 21.5; 2 gaps",
            "flipper_length_mm number 172 to 231; 2 gaps",
            "body_mass_g number 2700 to 6300; 2 gaps",
            "sex category male, female; 11 gaps",
        ]

    def test_it_points_at_what_is_odd(self, run: Run) -> None:
        rows = 400
        day = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=rows - 1), eager=True)
        churn = ["yes" if row % 5 == 0 or row > 300 else "no" for row in range(rows)]
        table = pl.DataFrame(
            {
                "customer": [f"c{row:04}" for row in range(rows)],
                "refund": ["paid" if answer == "yes" and row % 2 else None for row, answer in enumerate(churn)],
                "again": [answer.upper() for answer in churn],
                "charge": [str(row * 7 % 50) if row != 3 else "unknown" for row in range(rows)],
                "signup": day,
                "churn": churn,
            }
        )
        table.write_csv("customers.csv")
        done = run("check", "customers.csv", "--target", "churn")
        said = words(done.out)
        assert "customer left out an identifier: 400 different values in 400 training rows" in said
        assert "refund stands only where churn is 'yes': it may be known only after the fact." in said
        assert "again left out a copy of 'churn' in other words" in said
        assert "charge 1 cell that is no number ('unknown'): taken as a gap" in said
        assert "signup churn is yes in 20.0 % of the earlier half of the rows, 60.0 % of the later: " in said
        assert "try --by-time signup" in said

    def test_copies_of_rows_are_counted(self, run: Run, penguins: Path) -> None:
        table = pl.read_csv(penguins, infer_schema=False)
        pl.concat([table, table.head(3)]).write_csv("t.csv")
        assert "3 rows are equal to another; equal rows never part" in words(run("check", "t.csv").out)

    def test_a_target_that_cannot_be_predicted_is_said_and_the_rest_is_shown(self, run: Run) -> None:
        pl.DataFrame({"x": range(40), "y": ["same"] * 40}).write_csv("t.csv")
        done = run("check", "t.csv", "--target", "y")
        assert done.status == 0
        assert (
            "y cannot be predicted: column 'y' is the same in every row ('same'); there is nothing to predict."
            in words(done.out)
        )

    def test_a_target_without_a_cell_is_said(self, run: Run) -> None:
        pl.DataFrame({"x": range(40), "y": [None] * 40}, schema={"x": pl.Int64, "y": pl.String}).write_parquet(
            "t.parquet"
        )
        done = run("check", "t.parquet", "--target", "y")
        assert done.status == 0
        assert "y is missing in 40 rows, which a fit leaves aside" in words(done.out)

    def test_nothing_is_written(self, run: Run, penguins: Path, tmp_path: Path) -> None:
        run("check", penguins)
        assert list(tmp_path.iterdir()) == []


class TestPlan:
    """Decisions without a fit."""

    def test_it_is_shown_or_written_and_is_the_plan_of_the_fit(self, run: Run, penguins: Path) -> None:
        shown = run("plan", penguins, "--target", "species", "--time", "0.01s")
        run("plan", penguins, "--target", "species", "--time", "0.01s", "-o", "plan.toml")
        run("fit", penguins, "--target", "species", "--time", "0.01s", "--out", "run")
        assert shown.out == Path("plan.toml").read_text(encoding="utf-8")
        assert shown.out == Path("run/plan.toml").read_text(encoding="utf-8")
        assert 'task = "classification" # 3 different words' in shown.out


class TestInspect:
    """A look into a model."""

    def test_it_shows_the_modules_and_each_parameter_as_it_was_born_and_became(self, run: Run, fitted: Path) -> None:
        done = run("inspect", fitted)
        assert (done.status, done.err) == (0, "")
        said = words(done.out)
        assert "(the model) Members" in said
        assert "numbers PiecewiseLinear" in said
        assert re.search(
            r"network\.hidden\.0\.weight 8 × \d+ × 128 born [+-]0\.\d+ ± 0\.\d+ \S.* became [+-]0\.\d+ ±", said
        )
        assert "line.sums.weight" in said
        assert "the 5 example rows in the file; loss against its own answers" in said

    def test_with_a_source_the_loss_is_true(self, run: Run, fitted: Path, penguins: Path) -> None:
        done = run("inspect", fitted, penguins)
        assert "the first 256 rows of penguins.csv; loss against the true answers" in words(done.out)


class TestEject:
    """The script."""

    def test_the_script_of_the_run_folder_comes_out_again(self, run: Run, fitted: Path) -> None:
        done = run("eject", fitted, "-o", "mine.py")
        assert (done.status, done.err) == (0, "")
        assert re.match(r"mine\.py: the whole fit as plain PyTorch, \d+ lines\n", done.out)
        compile(Path("mine.py").read_text(encoding="utf-8"), "mine.py", "exec")


class TestDemo:
    """The lesson."""

    def test_the_demo_goes_through_the_six_steps(self, run: Run) -> None:
        done = run("demo", "--epochs", "5", "--out", "line")
        assert (done.status, done.err) == (0, "")
        assert re.findall(r"^\d \w+", done.out, re.MULTILINE) == [
            "1 Prepare", "2 Build", "3 Fit", "4 Evaluate", "5 Save", "6 Together",
        ]  # fmt: skip
        assert Path("line/line.safetensors").exists()


def test_help_comes_without_a_command_too(run: Run) -> None:
    assert run().out == run("--help").out
    assert run("--version").out.startswith("firstlight ")


def test_a_terminal_that_knows_ascii_alone_is_served(tmp_path: Path, fitted: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
    }
    done = subprocess.run(
        [FIRSTLIGHT, "evaluate", fitted / "model.safetensors"], env=environment, cwd=tmp_path, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"<- kept" in done.stdout
