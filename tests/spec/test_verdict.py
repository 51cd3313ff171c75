"""The verdict says what the scores mean in exact words, and never more than the rows show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from firstlight.evaluate.evaluation import (
    CONSTANT,
    LINE,
    NETWORK,
    Contender,
    Difference,
    Evaluation,
    Measure,
    Score,
    evaluate,
)
from firstlight.evaluate.intervals import wilson
from firstlight.evaluate.verdict import (
    CLASSES_BESIDE_CONSTANT,
    CLASSES_BESIDE_OTHER,
    NUMBERS_BESIDE_CONSTANT,
    NUMBERS_BESIDE_OTHER,
    Circumstances,
    State,
    States,
    untested,
    verdict,
)
from firstlight.evaluate.wording import (
    at_least,
    at_most,
    headline,
    listed,
    named,
    out_of,
    percent,
    significant,
    thousandths,
    times,
)
from firstlight.model.answers import ClassAnswers
from firstlight.wording import whole

PLAINLY = Circumstances(split="rows", column=None, looks=1, leaks=())
BETTER: States = ("better", "better")
UNSHOWN: States = ("unshown", "unshown")
WORSE: States = ("worse", "worse")
BOUNDS: dict[State, tuple[float, float]] = {
    "better": (1.0, 3.0),
    "unshown": (-1.0, 3.0),
    "worse": (-3.0, -1.0),
}


def differences(against: str, measures: tuple[Measure, Measure], states: States) -> list[Difference]:
    return [
        Difference(against, measure, sum(BOUNDS[state]) / 2, *BOUNDS[state])
        for measure, state in zip(measures, states, strict=True)
    ]


def of_classes(
    right: dict[str, int],
    rows: int,
    *,
    kept: str = NETWORK,
    labels: Sequence[str] = ("Adelie", "Chinstrap", "Gentoo"),
    rows_of_class: Sequence[int] | None = None,
    groups: int | None = None,
    **states: States,
) -> Evaluation:
    """An evaluation in which each contender is right in so many rows."""
    names = {"network": NETWORK, "line": LINE, "constant": CONSTANT}
    losses: list[Score] = [Score("log_loss", 0.041, 0.02, 0.09), Score("macro_f1", 0.9, 0.8, 1.0)]
    if len(labels) == 2:
        losses.append(Score("auc", 0.9, 0.8, 1.0))
    contenders = []
    for name, count in right.items():
        interval = wilson(count, rows)
        accuracy = Score("accuracy", count / rows, interval.low, interval.high)
        contenders.append(Contender(name, name == kept, (accuracy, *losses)))
    found = [
        difference
        for name, state in states.items()
        for difference in differences(names[name], ("log_loss", "accuracy"), state)
    ]
    return Evaluation(
        task="classes",
        rows=rows,
        groups=groups,
        labels=tuple(labels),
        rows_of_class=tuple(rows_of_class or [rows] * len(labels)),
        always="Adelie" if CONSTANT in right else None,
        contenders=tuple(contenders),
        differences=tuple(found),
        confusion=None,
        reliability=(),
        calibration_error=0.01,
        worst=(),
    )


def of_numbers(
    off: dict[str, float],
    *,
    kept: str = NETWORK,
    rows: int = 4000,
    explained: float | None = 0.823,
    coverage: Score = Score("range_coverage", 0.949, 0.93, 0.96),  # noqa: B008 (a frozen value)
    **states: States,
) -> Evaluation:
    """An evaluation in which each contender is off by so much on average."""
    names = {"network": NETWORK, "line": LINE, "constant": CONSTANT}
    contenders = tuple(
        Contender(
            name,
            name == kept,
            (
                Score("mean_absolute_error", error, 0.96 * error, 1.04 * error),
                Score("root_mean_squared_error", 1.5 * error, 1.4 * error, 1.6 * error),
                Score("r_squared", explained, explained, explained),
                coverage,
            ),
        )
        for name, error in off.items()
    )
    found = [
        difference
        for name, state in states.items()
        for difference in differences(names[name], ("squared_error", "absolute_error"), state)
    ]
    return Evaluation(
        task="numbers",
        rows=rows,
        groups=None,
        labels=(),
        rows_of_class=(),
        always=206_855.8 if CONSTANT in off else None,
        contenders=contenders,
        differences=tuple(found),
        confusion=None,
        reliability=(),
        calibration_error=None,
        worst=(),
    )


PENGUINS = {NETWORK: 68, LINE: 67, CONSTANT: 30}
HOUSES = {NETWORK: 31_234.5, LINE: 49_876.0, CONSTANT: 91_204.0}


def test_the_first_minute_ends_in_the_words_that_were_designed() -> None:
    found = of_classes(PENGUINS, rows=69, line=UNSHOWN, constant=BETTER)
    assert verdict(found, target="species", circumstances=PLAINLY) == (
        "For rows it has never seen, it gets species right about 99 times in 100 "
        "(at least 92, with 95 % confidence).\n"
        "Always saying Adelie would be right 43 times. "
        "On these rows it is not shown to be better than the straight line."
    )


def test_numbers_are_told_in_the_targets_own_unit() -> None:
    found = of_numbers(HOUSES, line=BETTER, constant=BETTER)
    assert verdict(found, target="price", circumstances=PLAINLY) == (
        "For rows it has never seen, its guess of price is off by 31 200 on average "
        "(30 000 to 32 500, with 95 % confidence). "
        "With large errors counted more, by 46 900 (RMSE).\n"
        "Always guessing 207 000 would be off by 91 200. It explains 82 % of how price varies (R² 0.823). "
        "It is better than the straight line, which is off by 49 900."
    )


@pytest.mark.parametrize(
    ("right", "rows", "sentence"),
    [
        (68, 69, "it gets species right about 99 times in 100 (at least 92, with 95 % confidence)."),
        (
            69,
            69,
            "it got species right in all 69 test rows (at least 94 times in 100, with 95 % confidence).",
        ),
        (
            9996,
            10_000,
            "it gets species right about 9 996 times in 10 000 (at least 9 989, with 95 % confidence).",
        ),
        (7, 1000, "it gets species right about once in 100 (at most 2, with 95 % confidence)."),
        (0, 69, "it got species wrong in all 69 test rows (at most 6 times in 100, with 95 % confidence)."),
        (
            11,
            12,
            "it got species right in 11 of the 12 test rows (at least 64 times in 100, with 95 % confidence).",
        ),
        (1, 1, "it got species right in the only test row (at least 20 times in 100, with 95 % confidence)."),
        (0, 1, "it got species wrong in the only test row (at most 80 times in 100, with 95 % confidence)."),
    ],
)
def test_how_often_it_is_right_is_rounded_but_its_bound_never_flatters(right: int, rows: int, sentence: str) -> None:
    lines = verdict(of_classes({NETWORK: right}, rows), target="species", circumstances=PLAINLY).split("\n")
    assert lines[0] == f"For rows it has never seen, {sentence}"


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (("better", "better"), ""),
        (
            ("better", "unshown"),
            " It is not shown to be right more often than that, but its probabilities are better than a fixed guess.",
        ),
        (
            ("better", "worse"),
            " It is right less often than that, but its probabilities are better than a fixed guess.",
        ),
        (
            ("unshown", "better"),
            " It is right more often than that, but its probabilities are not shown to be better than a fixed guess.",
        ),
        (("unshown", "unshown"), " It has learned nothing that is shown on these rows."),
        (("unshown", "worse"), " It is right less often than that."),
        (
            ("worse", "better"),
            " It is right more often than that, "
            "but its probabilities are worse than a fixed guess: do not rely on them.",
        ),
        (("worse", "unshown"), " Its probabilities are worse than a fixed guess: do not rely on them."),
        (("worse", "worse"), " It is worse than that."),
    ],
)
def test_beside_the_constant_guess_each_outcome_has_its_own_words(states: States, words: str) -> None:
    found = of_classes({NETWORK: 730, CONSTANT: 700}, rows=1000, constant=states)
    lines = verdict(found, target="churn", circumstances=PLAINLY).split("\n")
    assert lines[1:] == [f"Always saying Adelie would be right 70 times.{words}"]


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (("better", "better"), "It is better than the straight line, which is right 70 times."),
        (
            ("better", "unshown"),
            "Its probabilities are better than those of the straight line; that it is right more often is not shown.",
        ),
        (
            ("better", "worse"),
            "Its probabilities are better than those of the straight line, but it is right less often.",
        ),
        (
            ("unshown", "better"),
            "It is right more often than the straight line; that its probabilities are better is not shown.",
        ),
        (("unshown", "unshown"), "On these rows it is not shown to be better than the straight line."),
        (("unshown", "worse"), "On these rows it is right less often than the straight line."),
        (
            ("worse", "better"),
            "It is right more often than the straight line, but its probabilities are worse.",
        ),
        (("worse", "unshown"), "On these rows its probabilities are worse than those of the straight line."),
        (("worse", "worse"), "On these rows the straight line is better."),
    ],
)
def test_beside_the_straight_line_each_outcome_has_its_own_words(states: States, words: str) -> None:
    found = of_classes({NETWORK: 730, LINE: 700}, rows=1000, line=states)
    assert verdict(found, target="churn", circumstances=PLAINLY).split("\n")[1:] == [words]


@pytest.mark.parametrize(
    ("states", "beside_constant", "beside_line"),
    [
        (("better", "better"), "", "It is better than the straight line, which is off by 49 900."),
        (
            ("better", "unshown"),
            " Its large errors are smaller than that guess's; that it is closer on average is not shown.",
            "Its large errors are smaller than those of the straight line; that it is closer on average is not shown.",
        ),
        (
            ("better", "worse"),
            " Its large errors are smaller than that guess's, but it is further off on average.",
            "Its large errors are smaller than those of the straight line, but it is further off on average.",
        ),
        (
            ("unshown", "better"),
            " It is closer on average than that; that its large errors are smaller is not shown.",
            "It is closer on average than the straight line; that its large errors are smaller is not shown.",
        ),
        (
            ("unshown", "worse"),
            " It is further off on average than that.",
            "On these rows it is further off on average than the straight line.",
        ),
        (
            ("worse", "better"),
            " It is closer on average than that, but its large errors are larger.",
            "It is closer on average than the straight line, but its large errors are larger.",
        ),
        (
            ("worse", "unshown"),
            " Its large errors are larger than that guess's.",
            "On these rows its large errors are larger than those of the straight line.",
        ),
        (("worse", "worse"), " It is worse than that.", "On these rows the straight line is better."),
    ],
)
def test_numbers_beside_constant_and_line_have_words_for_each_outcome(
    states: States, beside_constant: str, beside_line: str
) -> None:
    found = of_numbers(HOUSES, line=states, constant=states)
    assert verdict(found, target="price", circumstances=PLAINLY).split("\n")[1] == (
        f"Always guessing 207 000 would be off by 91 200.{beside_constant} "
        f"It explains 82 % of how price varies (R² 0.823). {beside_line}"
    )


def test_the_tables_have_words_for_every_outcome() -> None:
    outcomes = {(first, second) for first in BOUNDS for second in BOUNDS}
    for table in (
        CLASSES_BESIDE_CONSTANT,
        CLASSES_BESIDE_OTHER,
        NUMBERS_BESIDE_CONSTANT,
        NUMBERS_BESIDE_OTHER,
    ):
        assert set(table) == outcomes


def test_better_is_never_said_of_what_is_not_shown_to_be_better() -> None:
    for table in (
        CLASSES_BESIDE_CONSTANT,
        CLASSES_BESIDE_OTHER,
        NUMBERS_BESIDE_CONSTANT,
        NUMBERS_BESIDE_OTHER,
    ):
        for states, words in table.items():
            claims = words.replace("not shown to be better", "").replace("is better is not shown", "")
            if "better" not in states and "the {other} is better" not in claims:
                assert "better" not in claims


def test_a_model_that_learned_nothing_is_not_compared_to_the_line_as_well() -> None:
    found = of_classes({NETWORK: 44, LINE: 45, CONSTANT: 44}, rows=100, line=UNSHOWN, constant=UNSHOWN)
    assert verdict(found, target="species", circumstances=PLAINLY).split("\n")[1:] == [
        "Always saying Adelie would be right 44 times. It has learned nothing that is shown on these rows."
    ]


def test_a_model_that_learned_nothing_is_still_told_when_the_line_did() -> None:
    found = of_classes({NETWORK: 44, LINE: 80, CONSTANT: 44}, rows=100, line=WORSE, constant=UNSHOWN)
    assert verdict(found, target="species", circumstances=PLAINLY).split("\n")[1:] == [
        "Always saying Adelie would be right 44 times. It has learned nothing that is shown on these rows. "
        "On these rows the straight line is better."
    ]


@pytest.mark.parametrize(
    ("network", "rest"),
    [
        (UNSHOWN, ""),
        (WORSE, " On these rows the network is better."),
        (BETTER, " It is better than the network, which is right 93 times."),
    ],
)
def test_the_line_is_named_where_it_is_the_one_that_was_kept(network: States, rest: str) -> None:
    found = of_classes({NETWORK: 93, LINE: 95, CONSTANT: 44}, rows=100, kept=LINE, network=network, constant=BETTER)
    assert verdict(found, target="species", circumstances=PLAINLY) == (
        "For rows it has never seen, the straight line gets species right about 95 times in 100 "
        "(at least 88, with 95 % confidence).\n"
        "It was kept because the network did no better on the training rows. "
        f"Always saying Adelie would be right 44 times.{rest}"
    )


def test_the_line_is_named_for_numbers_too() -> None:
    found = of_numbers(HOUSES, kept=LINE, network=UNSHOWN, constant=BETTER)
    assert verdict(found, target="price", circumstances=PLAINLY).startswith(
        "For rows it has never seen, the straight line's guess of price is off by 49 900 on average "
        "(47 900 to 51 900, with 95 % confidence). "
    )


def test_a_constant_guess_that_was_kept_says_so() -> None:
    found = of_classes({NETWORK: 41, CONSTANT: 44}, rows=100, kept=CONSTANT, network=UNSHOWN)
    assert verdict(found, target="species", circumstances=PLAINLY) == (
        "For rows it has never seen, a constant guess (always Adelie) gets species right "
        "about 44 times in 100 (at least 34, with 95 % confidence).\n"
        "It was kept because nothing did better on the training rows."
    )


@pytest.mark.parametrize(
    ("explained", "sentence"),
    [
        (0.5, "It explains 50 % of how price varies (R² 0.500)."),
        (0.9981, "It explains 99.8 % of how price varies (R² 0.998)."),
        (0.004, "It explains nothing of how price varies (R² 0.004)."),
        (-1.2, "It explains nothing of how price varies (R² -1.200)."),
    ],
)
def test_the_spread_explained_is_a_share_or_nothing(explained: float, sentence: str) -> None:
    assert verdict(of_numbers(HOUSES, explained=explained), target="price", circumstances=PLAINLY).endswith(
        f"\n{sentence}"
    )


@pytest.mark.parametrize(
    ("circumstances", "opening"),
    [
        (Circumstances("rows", None, 1, ()), "For rows it has never seen, it gets "),
        (Circumstances("folds", None, 1, ()), "For rows it has never seen, it gets "),
        (Circumstances("file", None, 1, ()), "For the rows of the test file, it gets "),
        (Circumstances("groups", "patient", 1, ()), "For rows whose patient it has never seen, it gets "),
        (Circumstances("time", "sold", 1, ()), "For rows later (by sold) than all it learned from, it gets "),
    ],
)
def test_the_opening_says_which_rows_the_score_speaks_of(circumstances: Circumstances, opening: str) -> None:
    found = of_classes({NETWORK: 90}, rows=100)
    assert verdict(found, target="species", circumstances=circumstances).startswith(opening)


@pytest.mark.parametrize(
    ("found", "circumstances", "line"),
    [
        (of_classes({NETWORK: 11}, rows=12), PLAINLY, "Only 12 test rows: read this as a hint."),
        (of_classes({NETWORK: 1}, rows=1), PLAINLY, "Only 1 test row: read this as a hint."),
        (
            of_classes({NETWORK: 90}, rows=100, groups=3),
            Circumstances("groups", "patient", 1, ()),
            "Only 3 groups in the test: read this as a hint.",
        ),
        (
            of_classes({NETWORK: 90}, rows=100),
            Circumstances("rows", None, 3, ()),
            "This is look 3 at the same test rows: they are no longer an untouched test, "
            "so expect a little worse on new rows.",
        ),
        (
            of_classes({NETWORK: 90}, rows=100),
            Circumstances("rows", None, 1, ("refund_issued",)),
            "Beware: refund_issued may give the answer away. "
            "If it is not known when you predict, the score is too good to be true.",
        ),
        (
            of_classes({NETWORK: 90}, rows=100),
            Circumstances("rows", None, 1, ("a", "b", "c", "d", "e")),
            "Beware: a, b, c and 2 more may give the answer away. "
            "If they are not known when you predict, the score is too good to be true.",
        ),
        (
            of_classes({NETWORK: 90}, rows=150),
            Circumstances("folds", None, 1, ()),
            "The table is small: each of its 150 rows was answered by a model that had not seen it "
            "(cross-validation), and the saved one learned from all of them.",
        ),
        (
            of_classes({NETWORK: 90}, rows=100, rows_of_class=(60, 0, 40)),
            PLAINLY,
            "No test row is Chinstrap: that part is not tested.",
        ),
        (
            of_classes({NETWORK: 90}, rows=100, rows_of_class=(100, 0, 0)),
            PLAINLY,
            "Every test row is Adelie: whether it can tell the classes apart is not tested.",
        ),
        (
            of_numbers(HOUSES, explained=None),
            PLAINLY,
            "Every test row has the same price: whether it can tell rows apart is not tested.",
        ),
        (
            of_numbers(HOUSES, coverage=Score("range_coverage", 0.88, 0.86, 0.9)),
            PLAINLY,
            "Its ranges, low to high, are too narrow: they hold 88.0 % of the test rows, not 95 %.",
        ),
    ],
)
def test_each_caution_is_one_line_of_its_own_at_the_end(
    found: Evaluation, circumstances: Circumstances, line: str
) -> None:
    target = "species" if found.task == "classes" else "price"
    assert verdict(found, target=target, circumstances=circumstances).split("\n")[-1] == line


@pytest.mark.parametrize("held", [Score("range_coverage", 0.9, 0.7, 0.97), Score("range_coverage", 0.945, 0.94, 0.949)])
def test_ranges_are_not_called_narrow_where_it_is_not_shown_or_does_not_matter(held: Score) -> None:
    assert "narrow" not in verdict(of_numbers(HOUSES, coverage=held), target="price", circumstances=PLAINLY)


def test_a_look_that_is_the_first_and_enough_rows_need_no_caution() -> None:
    found = of_classes(PENGUINS, rows=69, line=BETTER, constant=BETTER)
    assert len(verdict(found, target="species", circumstances=PLAINLY).split("\n")) == 2


def test_few_rows_are_told_as_counts_in_the_comparisons_too() -> None:
    found = of_classes({NETWORK: 11, LINE: 8, CONSTANT: 0}, rows=12, line=BETTER, constant=BETTER)
    assert verdict(found, target="species", circumstances=PLAINLY).split("\n")[1] == (
        "Always saying Adelie would be right in none of them. "
        "It is better than the straight line, which is right in 8 of them."
    )


def test_where_there_is_no_interval_the_verdict_says_that_it_is_not_known() -> None:
    scores = (
        Score("accuracy", 0.9, None, None),
        Score("log_loss", 0.3, None, None),
        Score("macro_f1", 0.9, None, None),
    )
    found = replace(of_classes({NETWORK: 90}, rows=100, groups=3), contenders=(Contender(NETWORK, True, scores),))
    assert verdict(found, target="species", circumstances=Circumstances("groups", "patient", 1, ())) == (
        "For rows whose patient it has never seen, it gets species right about 90 times in 100 "
        "(too few groups to say how sure that is).\n"
        "Only 3 groups in the test: read this as a hint."
    )


@pytest.mark.parametrize(("groups", "of_what"), [(None, "rows"), (3, "groups")])
def test_so_few_rows_that_there_is_no_difference_show_nothing_either_way(groups: int | None, of_what: str) -> None:
    found = of_classes({NETWORK: 4, CONSTANT: 2}, rows=4, groups=groups, constant=UNSHOWN)
    unknown = tuple(replace(difference, low=None, high=None) for difference in found.differences)
    words = verdict(replace(found, differences=unknown), target="species", circumstances=PLAINLY)
    assert words.split("\n")[1] == (
        "Always saying Adelie would be right in 2 of them. "
        f"So few {of_what} cannot show whether it has learned anything."
    )


@pytest.mark.parametrize(("right", "words"), [(1, "in that row"), (0, "in no row")])
def test_one_row_is_not_called_them(right: int, words: str) -> None:
    found = of_classes({NETWORK: 1, CONSTANT: right}, rows=1, constant=UNSHOWN)
    assert f"Always saying Adelie would be right {words}." in verdict(found, target="x", circumstances=PLAINLY)


def test_a_fit_without_a_test_is_called_not_tested() -> None:
    assert untested(target="species", leaks=()) == (
        "Not tested: no rows were set aside, so how well it predicts species for new rows is not known."
    )
    assert untested(target="species", leaks=["id"]).split("\n")[1].startswith("Beware: id may give the answer away.")


def test_a_name_written_by_a_stranger_cannot_move_the_cursor_or_flood_the_line() -> None:
    found = of_classes(PENGUINS, rows=69, labels=("x", "y", "z"), rows_of_class=(69, 0, 0))
    words = verdict(found, target="evil\x1b[2J\n" + "t" * 400, circumstances=PLAINLY)
    assert "\x1b" not in words
    assert len(words.split("\n")) == 2
    assert "t" * 50 not in words


@pytest.mark.parametrize(
    ("split", "column", "looks"),
    [("groups", None, 1), ("time", None, 1), ("rows", "day", 1), ("rows", None, 0)],
)
def test_circumstances_that_contradict_themselves_are_our_bug(split: str, column: str | None, looks: int) -> None:
    with pytest.raises(ValueError, match=r"^need a look or more, and a column just for groups and time"):
        Circumstances(split, column, looks, ())  # type: ignore[arg-type]


def test_the_headline_is_the_table_of_the_first_minute() -> None:
    table = headline(of_classes(PENGUINS, rows=69))
    assert table.columns == ("right", "95 % interval", "log loss")
    assert [(row.name, row.cells, row.kept) for row in table.rows] == [
        ("network", ("98.6 %", "92.2 – 99.7", "0.041"), True),
        ("straight line", ("97.1 %", "90.0 – 99.2", "0.041"), False),
        ("constant", ("43.5 %", "32.4 – 55.2", "0.041"), False),
    ]


def test_the_headline_of_numbers_is_in_the_targets_unit() -> None:
    table = headline(of_numbers(HOUSES))
    assert table.columns == ("off by", "95 % interval", "RMSE", "R²")
    assert table.rows[0].cells == ("31 200", "30 000 – 32 500", "46 900", "0.823")


def test_a_score_that_the_rows_do_not_determine_is_a_dash() -> None:
    table = headline(of_numbers({NETWORK: 3.0}, explained=None))
    assert table.rows[0].cells[-1] == "–"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (whole(999), "999"),
        (whole(1_152_048), "1 152 048"),
        (percent(0.0), "0.0 %"),
        (percent(0.9999), "99.99 %"),
        (percent(0.0004), "0.04 %"),
        (percent(1 - 1e-12), "100.0 %"),
        (thousandths(1.0504), "1.050"),
        (thousandths(-0.0001), "0.000"),
        (thousandths(0.0001), "< 0.001"),
        (significant(0), "0"),
        (significant(9.996), "10.0"),
        (significant(0.0004126), "0.000413"),
        (significant(-47_312.4), "-47 300"),
        (significant(999_999), "1 000 000"),
        (significant(1.234e20), "1.23e+20"),
        (times(0), "never"),
        (times(1), "once"),
        (times(1200), "1 200 times"),
        (listed(["a"], "and"), "a"),
        (listed(["a", "b"], "or"), "a or b"),
        (listed(["a", "b", "c", "d"], "and"), "a, b, c and 1 more"),
        (named("tab\tand\u202e"), "tab�and�"),
    ],
)
def test_numbers_and_names_read_well(said: str, text: str) -> None:
    assert said == text


def test_bounds_are_rounded_away_from_flattery() -> None:
    assert (at_least(0.9299, 100), at_least(0.93, 100), at_most(0.051, 100), at_most(0.05, 100)) == (
        92,
        93,
        6,
        5,
    )
    assert (out_of(0.994), out_of(0.996), out_of(0.0001), out_of(1.0)) == (100, 1000, 10_000, 100)


def test_a_guess_that_is_right_in_no_row_would_never_be_right() -> None:
    truth = torch.ones(200, dtype=torch.int64)
    sure = torch.tensor([[0.01, 0.99]]).double().expand(200, -1).clone()
    wrong_at_times = torch.cat([sure[:180], sure[180:].flip(1)])
    answers = {"network": ClassAnswers(wrong_at_times), "constant": ClassAnswers(sure.flip(1))}
    found = evaluate(truth, answers, "network", labels=("no", "yes"), groups=None, seed=0)
    said = verdict(found, target="paid", circumstances=Circumstances("file", None, 1, ()))
    assert "Always saying no would never be right." in said
