"""The commands and their options. Nothing heavy is imported here, so that `--help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

application = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

TABLE = (
    "A table: csv, tsv, xlsx, xls, ods, parquet, Arrow, json lines, a pattern such as 'sales-*.csv', "
    "sqlite:///file.db?table=name, or - for standard input. Or sequences: FASTA, FASTQ. Or texts: .txt. Or a folder "
    "or zip archive of texts, sequences, pictures or videos, whose folders are the classes."
)
MODEL = "A model file, or the run folder that holds it."

Source = Annotated[str, typer.Argument(metavar="SOURCE", help=TABLE, show_default=False)]
Model = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL, show_default=False)]
Target = Annotated[
    str | None, typer.Option("--target", metavar="COLUMN", help="The column to predict.", show_default=False)
]
Task = Annotated[
    Literal["classification", "regression"] | None,
    typer.Option("--task", help="What the target is; else its cells decide.", show_default=False),
]
Test = Annotated[
    str | None,
    typer.Option(
        "--test",
        metavar="SHARE|FILE|none",
        show_default="0.2, at most 100 000 rows",
        help="What to test on: a share of the rows, rows of their own, or nothing.",
    ),
]
ByTime = Annotated[
    str | None,
    typer.Option("--by-time", metavar="COLUMN", help="Test on the latest rows by this column.", show_default=False),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group", metavar="COLUMN", help="Rows that are alike in this column never part.", show_default=False
    ),
]
Time = Annotated[
    str | None,
    typer.Option("--time", metavar="30s|5m|1h", help="How long the fit may take.", show_default=False),
]
Sheet = Annotated[
    str | None, typer.Option("--sheet", metavar="NAME", help="The sheet of a workbook.", show_default=False)
]
Label = Annotated[
    str | None,
    typer.Option(
        "--label", metavar="PATTERN", show_default=False,
        help="Where the label stands in the headers of sequences: a regular expression with one group.",
    ),
]  # fmt: skip
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels", metavar="TABLE", show_default=False,
        help="A table with an id column and the labels of sequences.",
    ),
]  # fmt: skip
Seed = Annotated[
    int,
    typer.Option("--seed", metavar="NUMBER", min=0, help="Another seed, other chance: split, birth, order of rows."),
]
Pretrained = Annotated[
    str | None,
    typer.Option(
        "--pretrained", metavar="minilm|FOLDER", show_default=False,
        help="An encoder that helps to read texts or pictures: minilm, or a folder with a BERT or a ResNet.",
    ),
]  # fmt: skip


def _examples(*lines: str) -> str:
    """Lines that the help shows as they stand."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


@application.callback(invoke_without_command=True)
def firstlight(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Say the version, and end.")] = False,
) -> None:
    """Your data goes in; a tested PyTorch model, a picture of how good it is, and its script come out."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"firstlight {installed('firstlight')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@application.command(
    short_help="Fit a model to a table, and test it.",
    epilog=_examples(
        "firstlight fit penguins.csv --target species",
        "firstlight fit houses.xlsx --sheet 2024 --target price --time 1m",
        "firstlight fit sales.parquet --target revenue --by-time day",
        "firstlight fit promoters.fa --label 'class=(\\w+)'",
        "firstlight fit photos.zip",
        "firstlight fit --plan runs/penguins/plan.toml",
    ),
)
def fit(
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", help=TABLE, show_default=False)] = None,
    target: Target = None,
    task: Task = None,
    test: Test = None,
    by_time: ByTime = None,
    group: Group = None,
    time: Time = None,
    sheet: Sheet = None,
    label: Label = None,
    labels: Labels = None,
    seed: Seed = 0,
    pretrained: Pretrained = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="A plan.toml to follow, edited or not.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The run folder; else runs/NAME.", show_default=False),
    ] = None,
) -> None:
    """Fit a model to a table, and test it on rows that it has not seen."""
    from firstlight.cli.fit import Asked, run_fit

    run_fit(Asked(source, target, task, test, by_time, group, time, sheet, label, labels, seed, pretrained, plan, out))


@application.command(
    short_help="Look at a table before a fit.",
    epilog=_examples(
        "firstlight check customers.xlsx",
        "firstlight check penguins.csv --target species",
    ),
)
def check(
    source: Source, target: Target = None, task: Task = None, sheet: Sheet = None, label: Label = None,
    labels: Labels = None,
) -> None:  # fmt: skip
    """Look at a table before a fit: what would be read, what is odd, what knows too much."""
    from firstlight.cli.at_once import table_with

    table = table_with(source, sheet, [target], label=label, labels=labels)
    from firstlight.cli.check import run_check

    run_check(table, target, task)


@application.command(
    short_help="Write down every decision, without fitting.",
    epilog=_examples(
        "firstlight plan penguins.csv --target species -o plan.toml",
        "firstlight fit --plan plan.toml",
    ),
)
def plan(
    source: Source,
    target: Target = None,
    task: Task = None,
    test: Test = None,
    by_time: ByTime = None,
    group: Group = None,
    time: Time = None,
    sheet: Sheet = None,
    label: Label = None,
    labels: Labels = None,
    seed: Seed = 0,
    pretrained: Pretrained = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Where to write it; else it is shown.", show_default=False),
    ] = None,
) -> None:
    """Write down every decision of a fit with its reason, without fitting."""
    from firstlight.cli.at_once import refuse_file_there

    if out is not None:
        refuse_file_there(out)
    from firstlight.cli.fit import Asked, run_plan

    run_plan(Asked(source, target, task, test, by_time, group, time, sheet, label, labels, seed, pretrained, None, out))


@application.command(
    short_help="Answer for each row of a table.",
    epilog=_examples(
        "firstlight predict runs/penguins new.csv",
        "firstlight predict model.safetensors new.xlsx -o answers.xlsx",
        "firstlight predict runs/reviews new.csv --why",
    ),
)
def predict(
    model: Model,
    source: Source,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="A .csv, .parquet or .xlsx file.")] = Path(
        "predictions.csv"
    ),
    sheet: Sheet = None,
    why: Annotated[bool, typer.Option("--why", help="Say for each row what in it moved the answer.")] = False,
) -> None:
    """Answer for each row of a table, which need not have the target, nor every column."""
    from firstlight.cli.at_once import refuse_own_source, refuse_wrong_ending, refuse_wrong_model, refuse_wrong_source

    refuse_wrong_model(model)
    refuse_wrong_source(source)
    refuse_wrong_ending(out)
    refuse_own_source(out, source)
    from firstlight.cli.use import run_predict

    run_predict(model, source, sheet, out, why=why)


@application.command(
    short_help="Score a model on new rows.",
    epilog=_examples(
        "firstlight evaluate runs/penguins later.csv",
        "firstlight evaluate runs/penguins",
    ),
)
def evaluate(
    model: Model,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE", help="Rows with the target; else the run's own test rows.", show_default=False
        ),
    ] = None,
    sheet: Sheet = None,
    label: Label = None,
    labels: Labels = None,
) -> None:
    """Score a model on new rows, or once more on its own test rows; every look is counted."""
    from firstlight.cli.at_once import refuse_wrong_model, refuse_wrong_source

    refuse_wrong_model(model)
    if source is not None:
        refuse_wrong_source(source)
    from firstlight.cli.use import run_evaluate

    run_evaluate(model, source, sheet, label, labels)


@application.command(
    short_help="Look into a model.",
    epilog=_examples(
        "firstlight inspect runs/penguins",
        "firstlight inspect runs/penguins penguins.csv",
    ),
)
def inspect(
    model: Model,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE", help="Rows to send through it; else the examples in the file.", show_default=False
        ),
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Look into a model: its modules, its parameters as they were born and as they became, its gradients."""
    from firstlight.cli.at_once import refuse_wrong_model, refuse_wrong_source

    refuse_wrong_model(model)
    if source is not None:
        refuse_wrong_source(source)
    from firstlight.cli.use import run_inspect

    run_inspect(model, source, sheet)


@application.command(
    short_help="Write the fit as plain PyTorch.",
    epilog=_examples("firstlight eject runs/penguins -o train.py", "python train.py"),
)
def eject(
    model: Model,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="Where to write the script.")] = Path(
        "train.py"
    ),
) -> None:
    """Write the whole fit as one script of plain PyTorch, which retrains to the same bits."""
    from firstlight.cli.at_once import refuse_file_there, refuse_wrong_model

    refuse_wrong_model(model)
    refuse_file_there(out)
    from firstlight.cli.use import run_eject

    run_eject(model, out)


@application.command(
    short_help="Learn a straight line, step by step.",
    epilog=_examples("firstlight demo", "firstlight demo --weight 0.3 --bias 0.9 --noise 0.1 --seed 7"),
)
def demo(
    weight: Annotated[float, typer.Option("--weight", metavar="NUMBER", help="Of the line that makes the data.")] = 0.7,
    bias: Annotated[float, typer.Option("--bias", metavar="NUMBER", help="Of the line that makes the data.")] = 0.3,
    noise: Annotated[
        float, typer.Option("--noise", metavar="NUMBER", help="Standard deviation of what is added to each y.")
    ] = 0.0,
    rows: Annotated[int, typer.Option("--rows", metavar="NUMBER", help="How many points.")] = 50,
    epochs: Annotated[
        int, typer.Option("--epochs", metavar="NUMBER", help="How many steps of gradient descent.")
    ] = 200,
    rate: Annotated[float, typer.Option("--rate", metavar="NUMBER", help="How long a step is.")] = 0.01,
    seed: Annotated[
        int, typer.Option("--seed", metavar="NUMBER", help="Of the random parameters, and of the noise.")
    ] = 42,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The run folder.")] = Path("runs/line"),
) -> None:
    """Learn a straight line, step by step: a lesson in what fitting is."""
    from firstlight.course.settings import Settings, refuse_unusable

    refuse_unusable(Settings(weight, bias, noise, rows, epochs, rate, seed))
    from firstlight.cli.paper import console
    from firstlight.course.demo import run_demo
    from firstlight.course.telling import tell

    lesson = run_demo(
        weight=weight, bias=bias, noise=noise, rows=rows, epochs=epochs, rate=rate, seed=seed, out=out
    )  # fmt: skip
    tell(lesson, console())
