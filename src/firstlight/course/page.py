"""The lesson as a page: the same six steps and sentences as in the terminal, with larger pictures."""

from __future__ import annotations

from firstlight.course import charts, words
from firstlight.course.lesson import Learned, Lesson
from firstlight.report.page import Block, Chapter, Figure, Folded, Grid, Prose, Script, render


def page(lesson: Lesson) -> str:
    """One self-contained html file."""
    writers = (_prepare, _build, _fit, _evaluate, _save, _together)
    chapters = tuple(
        Chapter(step, announcement, write(lesson))
        for (step, announcement), write in zip(words.STEPS, writers, strict=True)
    )
    return render(words.title(lesson), _lead(lesson), chapters)


def _lead(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    return (
        Prose(f"{words.became(lesson, model)}\n\n{words.improved(model)}"),
        Grid("", ("on the test points", "off by, on average"), words.scores(lesson), words.algebra(lesson)),
    )


def _prepare(lesson: Lesson) -> tuple[Block, ...]:
    return (
        Prose(words.data(lesson)),
        Figure("Which points are for learning?", charts.points(lesson), words.apart(lesson)),
    )


def _build(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    return (
        Prose(_plain(words.MODULE)),
        Script(f"{model.module}, whole", model.source),
        Prose(words.born(lesson, model)),
        Figure(
            "What does the model say before it has learned anything?",
            charts.untrained(lesson, model),
            words.untrained(model),
        ),
    )


def _fit(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    steps = tuple((name, _plain(happens)) for name, happens in words.slow_motion(lesson))
    return (
        Prose(_plain(words.optimiser(lesson))),
        Grid("What happens in one step?", ("part", "in numbers"), steps, words.and_so_on(model)),
        _losses_figure(lesson, model),
        Figure("Which way down did the parameters take?", charts.descent(lesson, (model,)), words.SURFACE),
    )


def _evaluate(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    return (
        Prose(_plain(words.INFERENCE)),
        _after_figure(lesson, model),
        Prose(_plain(words.hidden(lesson, model))),
    )


def _save(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    return (Prose("\n\n".join(_plain(say(model)) for say in (words.state, words.saved, words.reloaded))),)


def _together(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_layer
    return (
        Script(f"{model.module}, whole", model.source),
        Prose(f"{words.born(lesson, model)} {words.became(lesson, model)}"),
        _losses_figure(lesson, model),
        _after_figure(lesson, model),
        Figure(
            "Do both models end in the same place?",
            charts.descent(lesson, (lesson.by_hand, model)),
            words.SURFACE_FOR_BOTH,
        ),
        Prose(_plain(f"{words.swings_too(model)}\n\n{words.saved(model)} {words.reloaded(model)}")),
        Script(words.TEN_LINES, lesson.ten_lines),
        Folded("The whole lesson as plain PyTorch", (Script("line.py", lesson.script),)),
        Prose(f"{words.NEXT} {words.NEXT_COMMAND}"),
    )


def _losses_figure(lesson: Lesson, model: Learned) -> Figure:
    rows = tuple(words.log_row(epoch) for epoch in words.log(lesson, model))
    return Figure(
        "How fast did it become less wrong?",
        charts.losses(model),
        f"Solid: the loss on the train points. Dashed: on the test points. {words.HOW_TO_READ}",
        Grid("", words.LOG_COLUMNS, rows, ""),
    )


def _after_figure(lesson: Lesson, model: Learned) -> Figure:
    return Figure(
        "Did training bring the predictions to the points?",
        charts.trained(lesson, model),
        words.improved(model),
    )


def _plain(sentence: str) -> str:
    return sentence.replace("`", "")
