"""The report of a run: the verdict and what to beware of, then the six steps as chapters.

In: a run, its rows, the script that fits it again. Out: one html file that holds everything, for people.
"""

from __future__ import annotations

from collections.abc import Mapping

from firstlight.evaluate.wording import TITLES, headline
from firstlight.model.building import parameters_of
from firstlight.model.predictor import LINE, NETWORK
from firstlight.report.evaluating import evaluate_chapter, first_error, meanings
from firstlight.report.learning import build_chapter, fit_chapter
from firstlight.report.page import Block, Chapter, Folded, Grid, Points, Prose, Script, render
from firstlight.report.preparing import prepare_chapter
from firstlight.report.story import Story, source_name
from firstlight.report.wording import bytes_of, counted, number, spaced
from firstlight.store.folder import LOG, METRICS, PLAN, ROWS, SCRIPT, TEST_ROWS
from firstlight.store.model_file import EXAMPLES, FILE_NAME
from firstlight.store.run import Rows, Run

MOST_POINTS = 6  # what to beware of that stands open; the rest folds

FILES = {
    FILE_NAME: "the model: weights, plan, scores; all that predicting needs",
    PLAN: "each decision with its reason; edit it and give it back to the next fit",
    SCRIPT: "all of this as plain PyTorch",
    METRICS: "verdict and scores, for programs",
    LOG: "the losses of each epoch",
    ROWS: "the rows, because their source cannot be read again",
    TEST_ROWS: "the test rows, because their source cannot be read again",
}


def run_page(run: Run, rows: Rows, script: str, sizes: Mapping[str, int]) -> str:
    """One self-contained html file.

    script: the source of the script that fits the model again. sizes: bytes of the files in the run folder, by name.
    """
    story = Story(run, rows, script, sizes)
    chapters = (prepare_chapter, build_chapter, fit_chapter, evaluate_chapter, _save_chapter, _together_chapter)
    title = f"{story.target}, predicted from {source_name(story.plan.source)}"
    return render(title, _lead(story), tuple(tell(story) for tell in chapters))


def _lead(story: Story) -> tuple[Block, ...]:
    verdict = Prose(spaced(story.run.verdict.replace("\n", "\n\n")))
    return verdict, *_headline(story), *_beware(story)


def _headline(story: Story) -> tuple[Grid, ...]:
    evaluation = story.run.evaluation
    if evaluation is None:
        return ()
    table = headline(evaluation)
    rows = tuple((f"{row.name} (kept)" if row.kept else row.name, *map(spaced, row.cells)) for row in table.rows)
    kept = next(place for place, row in enumerate(table.rows) if row.kept)
    head = f"on {counted(evaluation.rows, 'test row')}"
    names = [name for name, title in TITLES.items() if title in table.columns]
    return (Grid("", (head, *table.columns), rows, meanings(names), marked=kept),)


def _beware(story: Story) -> tuple[Block, ...]:
    early = story.plan.fitting.interrupted_after
    said = (
        first_error(story),
        *(suspicion.sentence for suspicion in story.plan.beware),
        "" if early is None else f"The fit was ended early, after {counted(early, 'epoch')}: the best so far was kept",
        *story.run.notes,
    )
    points = [point if point.endswith((".", "?", "!")) else f"{point}." for point in said if point]
    if not points:
        return ()
    blocks: list[Block] = [Points("Before you rely on it", tuple(points[:MOST_POINTS]))]
    if rest := points[MOST_POINTS:]:
        blocks.append(Folded(f"{number(len(rest))} more", (Points("", tuple(rest)),)))
    return tuple(blocks)


def _save_chapter(story: Story) -> Chapter:
    place = _place(story)
    lead = (
        "The model is one .safetensors file: numbers and text, nothing that could run. After saving, it was loaded "
        f"again and gave the same answers to the {EXAMPLES} training rows that the file keeps as examples."
    )
    predictor = story.run.predictor
    inside = (
        (NETWORK, f"{counted(parameters_of(predictor.network), 'parameter')}, and how columns become features"),
        (LINE, f"{counted(parameters_of(predictor.line), 'parameter')}, and how columns become features"),
        ("words", "the categories of each column and the labels of the target, as the training rows have them"),
        ("plan", "the same as plan.toml"),
        ("scores", "all of them, with their intervals" if story.run.evaluation else "none: it was not tested"),
        ("examples", f"{EXAMPLES} training rows with their answers: whoever gets the file can read them"),
    )
    python = (
        f"import firstlight as fl\n\nrun = fl.load({place!r})\n"
        'predictions = run.predict("new_rows.csv")\nrun.model  # an nn.Module\n'
    )
    blocks: tuple[Block, ...] = (
        *_files(story),
        Folded("What lies in the model file", (Grid("", ("part", "what it is"), inside, ""),)),
        Script("Predict from the terminal", f"firstlight predict {_quoted(place)} new_rows.csv -o predictions.csv\n"),
        Script("Predict from Python", python),
    )
    return Chapter("5 Save and load", lead, blocks)


def _place(story: Story) -> str:
    """Where the model file lies, as the person named the folder."""
    return (story.run.folder / FILE_NAME).as_posix() if story.run.folder else FILE_NAME


def _quoted(path: str) -> str:
    return f"'{path}'" if " " in path else path


def _files(story: Story) -> tuple[Grid, ...]:
    rows = tuple((name, what, bytes_of(story.sizes[name])) for name, what in FILES.items() if name in story.sizes)
    return (Grid("What lies in the run folder?", ("file", "what it is", "size"), rows, ""),) if rows else ()


def _together_chapter(story: Story) -> Chapter:
    lead = (
        f"All six steps in {counted(len(story.script.splitlines()), 'line')} of plain PyTorch. The script needs torch, "
        "numpy and polars, not firstlight; it fits the model again and checks that it is the same."
    )
    if story.run.seconds is not None:
        lead += f" The whole run took {counted(max(1, round(story.run.seconds)), 'second')}."
    return Chapter("6 Together", lead, (Script(SCRIPT, story.script),))
