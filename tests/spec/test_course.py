"""The straight line meets what the course published, and everything told of it is what was computed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from firstlight.course import charts, line, words
from firstlight.course.demo import run_demo
from firstlight.course.lesson import Learned, Lesson, Parameters, teach
from firstlight.course.settings import COURSE, Settings
from firstlight.course.telling import tell
from firstlight.refusal import Refused

ROOT = Path(__file__).resolve().parents[2]
# In float32 on any device; the course's own figures for nn.Linear come from a GPU.
TOLERANCE = 1e-6

# Published: epoch, train loss before its step, test loss after it.
BY_HAND = [
    (0, 0.31288138031959534, 0.48106518387794495),
    (10, 0.1976713240146637, 0.3463551998138428),
    (20, 0.08908725529909134, 0.21729660034179688),
    (30, 0.053148526698350906, 0.14464017748832703),
    (40, 0.04543796554207802, 0.11360953003168106),
    (50, 0.04167863354086876, 0.09919948130846024),
    (60, 0.03818932920694351, 0.08886633068323135),
    (70, 0.03476089984178543, 0.0805937647819519),
    (80, 0.03132382780313492, 0.07232122868299484),
    (90, 0.02788739837706089, 0.06473556160926819),
    (100, 0.024458957836031914, 0.05646304413676262),
    (110, 0.021020207554101944, 0.04819049686193466),
    (120, 0.01758546568453312, 0.04060482233762741),
    (130, 0.014155393466353416, 0.03233227878808975),
    (140, 0.010716589167714119, 0.024059748277068138),
    (150, 0.0072835334576666355, 0.016474086791276932),
    (160, 0.0038517764769494534, 0.008201557211577892),
    (170, 0.008932482451200485, 0.005023092031478882),
    (180, 0.008932482451200485, 0.005023092031478882),
    (190, 0.008932482451200485, 0.005023092031478882),
]
BY_LAYER = [
    (0, 0.5551779866218567, 0.5739762187004089),
    (10, 0.439968079328537, 0.4392664134502411),
    (20, 0.3247582018375397, 0.30455657839775085),
    (30, 0.20954833924770355, 0.16984669864177704),
    (40, 0.09433845430612564, 0.03513690456748009),
    (50, 0.023886388167738914, 0.04784907028079033),
    (60, 0.019956795498728752, 0.045803118497133255),
    (70, 0.016517987474799156, 0.037530567497015),
    (80, 0.013089174404740334, 0.02994490973651409),
    (90, 0.009653178043663502, 0.02167237363755703),
    (100, 0.006215683650225401, 0.014086711220443249),
    (110, 0.00278724217787385, 0.005814164876937866),
    *((epoch, 0.0012645035749301314, 0.013801801018416882) for epoch in range(120, 1000, 10)),
]
# Published: epoch, weight and bias after its step, to four digits.
PARAMETERS = [
    (0, 0.3406, 0.1388), (10, 0.3796, 0.2388), (20, 0.4184, 0.3333), (30, 0.4512, 0.3768), (40, 0.4748, 0.3868),
    (50, 0.4938, 0.3843), (60, 0.5116, 0.3788), (70, 0.5288, 0.3718), (80, 0.5459, 0.3648), (90, 0.5629, 0.3573),
    (100, 0.5800, 0.3503), (110, 0.5972, 0.3433), (120, 0.6141, 0.3358), (130, 0.6313, 0.3288), (140, 0.6485, 0.3218),
    (150, 0.6654, 0.3143), (160, 0.6826, 0.3073), (170, 0.6951, 0.2993), (180, 0.6951, 0.2993), (190, 0.6951, 0.2993),
]  # fmt: skip
UNTRAINED = [0.3982, 0.4049, 0.4116, 0.4184, 0.4251, 0.4318, 0.4386, 0.4453, 0.4520, 0.4588]
NOISY = replace(COURSE, weight=-2.0, bias=1.5, noise=0.1, seed=7)
EXERCISE = replace(COURSE, weight=0.3, bias=0.9, rows=100, epochs=300)

Teach = Callable[[Settings], Lesson]


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Teach:
    """The lesson of these settings, computed once for all the tests of this file."""
    known: dict[Settings, Lesson] = {}

    def once(settings: Settings) -> Lesson:
        if settings not in known:
            known[settings] = teach(settings, tmp_path_factory.mktemp("line"))
        return known[settings]

    return once


def told(lesson: Lesson, width: int = 80) -> str:
    """The lesson as a pipe gets it."""
    paper = StringIO()
    tell(lesson, Console(file=paper, width=width))
    return paper.getvalue()


def flowing(text: str) -> str:
    """The same without its line breaks."""
    return " ".join(text.split())


def anywhere(lesson: Lesson) -> Lesson:
    """The same without the folder that it was written to."""
    by_hand, by_layer = (replace(model, file=Path(model.file.name)) for model in (lesson.by_hand, lesson.by_layer))
    return replace(lesson, by_hand=by_hand, by_layer=by_layer)


def after(updates: int, learned: Learned) -> tuple[float, float, float]:
    """Weight, bias and test loss after so many updates."""
    epoch = learned.epochs[updates - 1]
    return epoch.parameters.weight, epoch.parameters.bias, epoch.test_loss


def test_the_data_is_that_of_the_course_to_the_last_bit() -> None:
    x, y = line.points(0.7, 0.3, 0.0, 50, seed=42)
    as_taught = torch.arange(0, 1, 0.02).unsqueeze(dim=1)
    assert torch.equal(x, as_taught)
    assert torch.equal(y, 0.7 * as_taught + 0.3)


def test_there_are_as_many_points_as_asked_for_and_all_lie_below_one() -> None:
    for rows in range(5, 2000):
        x, _ = line.points(1.0, 0.0, 0.0, rows, seed=0)
        assert x.shape == (rows, 1)
        assert x.max() < 1


def test_the_first_four_fifths_in_order_are_learned_from(taught: Teach) -> None:
    lesson = taught(COURSE)
    assert (len(lesson.train.x), len(lesson.test.x)) == (40, 10)
    assert max(lesson.train.x) == pytest.approx(0.78)
    assert (lesson.test.x[0], lesson.test.x[-1]) == pytest.approx((0.80, 0.98))
    assert (lesson.test.y[0], lesson.test.y[-1]) == pytest.approx((0.860, 0.986))


def test_both_models_are_born_with_the_published_parameters(taught: Teach) -> None:
    lesson = taught(COURSE)
    assert lesson.by_hand.born == Parameters(0.33669036626815796, 0.12880940735340118)
    assert lesson.by_layer.born == Parameters(0.7645385265350342, 0.8300079107284546)


def test_the_untrained_model_predicts_what_the_course_printed(taught: Teach) -> None:
    model = taught(COURSE).by_hand
    assert model.born_predictions.y == pytest.approx(UNTRAINED, abs=5e-5)
    assert model.born_loss == pytest.approx(0.4945362, abs=TOLERANCE)


def test_the_first_gradient_is_minus_the_mean_of_x_and_minus_one(taught: Teach) -> None:
    step = taught(COURSE).by_hand.slow_step
    assert (step.gradient.weight, step.gradient.bias) == pytest.approx((-0.39, -1.0), abs=TOLERANCE)


@pytest.mark.parametrize(("epoch", "train_loss", "test_loss"), BY_HAND)
def test_the_losses_of_the_module_written_by_hand_are_the_published_ones(
    taught: Teach, epoch: int, train_loss: float, test_loss: float
) -> None:
    logged = taught(COURSE).by_hand.epochs[epoch]
    assert logged.number == epoch
    assert (logged.train_loss, logged.test_loss) == pytest.approx((train_loss, test_loss), abs=TOLERANCE)


@pytest.mark.parametrize(("epoch", "train_loss", "test_loss"), BY_LAYER)
def test_the_losses_of_the_module_with_a_layer_are_the_published_ones(
    taught: Teach, epoch: int, train_loss: float, test_loss: float
) -> None:
    logged = taught(replace(COURSE, epochs=1000)).by_layer.epochs[epoch]
    assert (logged.train_loss, logged.test_loss) == pytest.approx((train_loss, test_loss), abs=TOLERANCE)


@pytest.mark.parametrize(("epoch", "weight", "bias"), PARAMETERS)
def test_the_parameters_move_as_published(taught: Teach, epoch: int, weight: float, bias: float) -> None:
    parameters = taught(COURSE).by_hand.epochs[epoch].parameters
    assert (f"{parameters.weight:.4f}", f"{parameters.bias:.4f}") == (f"{weight:.4f}", f"{bias:.4f}")


def test_the_module_written_by_hand_ends_bit_equal_to_the_models_that_the_course_saved(taught: Teach) -> None:
    learned = taught(COURSE).by_hand
    assert learned.epochs[99].parameters == Parameters(0.5784404277801514, 0.3513098657131195)
    assert learned.final == Parameters(0.6990308165550232, 0.3093104660511017)


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        (100, (0.5784404277801514, 0.3513098657131195, 0.0568781)),
        (199, (0.6951308250427246, 0.29931047558784485, 0.0050231)),
        (200, (0.6990308165550232, 0.3093104660511017, 0.0084479)),
        (299, (0.6951308250427246, 0.29931047558784485, 0.0050231)),
        (300, (0.6990308165550232, 0.3093104660511017, 0.0084479)),
    ],
)
def test_the_module_written_by_hand_is_where_it_should_be_after_so_many_updates(
    taught: Teach, updates: int, expected: tuple[float, float, float]
) -> None:
    assert after(updates, taught(replace(COURSE, epochs=1000)).by_hand) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        (100, (0.6690892577171326, 0.31300872564315796, 0.0145018)),
        (200, (0.6968093514442444, 0.3025088608264923, 0.0003308)),
        (300, (0.6968093514442444, 0.3025088608264923, 0.0003308)),
        (1000, (0.6968093514442444, 0.3025088608264923, 0.0003308)),
    ],
)
def test_the_module_with_a_layer_is_where_it_should_be_after_so_many_updates(
    taught: Teach, updates: int, expected: tuple[float, float, float]
) -> None:
    assert after(updates, taught(replace(COURSE, epochs=1000)).by_layer) == pytest.approx(expected, abs=TOLERANCE)


def test_the_trained_models_predict_what_the_course_printed(taught: Teach) -> None:
    by_hand, by_layer = taught(COURSE).by_hand, taught(COURSE).by_layer
    assert (by_hand.predictions.y[0], by_hand.predictions.y[-1]) == pytest.approx((0.8685, 0.9944), abs=5e-5)
    assert (by_layer.predictions.y[0], by_layer.predictions.y[-1]) == pytest.approx((0.8600, 0.9854), abs=5e-5)
    assert by_hand.largest_error == pytest.approx(0.0085, abs=5e-5)
    assert by_layer.largest_error == pytest.approx(0.0006, abs=5e-5)


def test_the_exercise_ends_as_its_published_solution(taught: Teach) -> None:
    learned = taught(EXERCISE).by_hand
    logged = {epoch: learned.epochs[epoch] for epoch in (0, 100, 200, 280)}
    assert [f"{one.train_loss:.3f}/{one.test_loss:.3f}" for one in logged.values()] == [
        "0.757/0.725", "0.046/0.105", "0.011/0.026", "0.004/0.006",
    ]  # fmt: skip
    assert words.pair(learned.final) == "0.3067 and 0.9011"
    assert (learned.predictions.y[0], learned.predictions.y[-1]) == pytest.approx((1.1464, 1.2047), abs=5e-5)
    assert learned.test_loss == pytest.approx(0.007046, abs=TOLERANCE)
    assert words.log_every(taught(EXERCISE)) == 20


def test_the_baselines_are_those_of_the_course(taught: Teach) -> None:
    lesson = taught(COURSE)
    assert lesson.constant.test_loss == pytest.approx(0.35, abs=TOLERANCE)
    found = lesson.least_squares.parameters
    assert (found.weight, found.bias) == pytest.approx((0.7, 0.3), abs=TOLERANCE)
    assert lesson.truth.test_loss == 0


def test_the_end_is_known_to_be_a_swing_and_since_when(taught: Teach) -> None:
    by_hand, by_layer = taught(COURSE).by_hand.swing, taught(COURSE).by_layer.swing
    assert by_hand is not None
    assert by_layer is not None
    assert (by_hand.since, by_layer.since) == (169, 116)
    assert (by_hand.kept_test_loss, by_hand.other_test_loss) == pytest.approx((0.0084479, 0.0050231), abs=TOLERANCE)
    said = flowing(told(taught(COURSE)))
    assert "What the log hides: from update 169 on, the parameters swing to and fro" in said
    assert "The log shows only the other" in said
    assert "Here too: from update 116 on" in said


def test_a_model_that_has_not_arrived_is_said_to_be_on_its_way(taught: Teach) -> None:
    lesson = taught(replace(COURSE, epochs=50))
    assert lesson.by_hand.swing is None
    assert "The parameters still move at the last step" in flowing(told(lesson))


def test_steps_too_small_for_float32_are_said_to_move_nothing(taught: Teach) -> None:
    lesson = taught(replace(COURSE, rate=1e-10, epochs=3))
    assert lesson.by_hand.final == lesson.by_hand.born
    assert "The last step moved nothing" in flowing(told(lesson))


@pytest.mark.parametrize("settings", [COURSE, NOISY, EXERCISE], ids=["course", "noisy", "exercise"])
def test_a_reloaded_model_is_exactly_the_one_that_was_saved(taught: Teach, settings: Settings) -> None:
    for learned in (taught(settings).by_hand, taught(settings).by_layer):
        assert learned.newborn != learned.final, "the copy must not be right before it is loaded"
        assert learned.reloaded == learned.final
        assert learned.equal_predictions == len(learned.predictions.y)


def test_a_saved_model_keeps_the_names_that_the_course_gave_its_parameters(taught: Teach) -> None:
    assert taught(COURSE).by_hand.names == ("weights", "bias")
    assert taught(COURSE).by_layer.names == ("linear_layer.weight", "linear_layer.bias")


def test_answers_in_a_row_against_predictions_in_a_column_are_an_error() -> None:
    x, y = line.points(0.7, 0.3, 0.0, 50, seed=42)
    with pytest.raises(ValueError, match=r"predictions \[40, 1\] do not fit answers \[40\]"):
        next(line.epochs(line.LinearLayerLine(), x, y.squeeze(dim=1), 1, 0.01))


def test_an_own_line_with_noise_is_the_same_every_time(taught: Teach, tmp_path: Path) -> None:
    first, again = taught(NOISY), teach(NOISY, tmp_path)
    assert anywhere(again) == anywhere(first)
    assert again.by_hand.file.read_bytes() == first.by_hand.file.read_bytes()
    assert first.truth.test_loss > 0
    assert "the line that made the data" in told(first)


def test_another_seed_is_another_birth_and_other_noise(taught: Teach) -> None:
    other = taught(replace(NOISY, seed=8))
    assert other.by_hand.born != taught(NOISY).by_hand.born
    assert other.train.y != taught(NOISY).train.y


def test_the_lesson_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    teach(replace(COURSE, epochs=2), tmp_path)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    "name",
    [
        "nn.Parameter", "nn.Module", "forward", "torch.optim", "loss.backward()", "state_dict", "inference_mode",
        "nn.L1Loss", "nn.Linear", "load_state_dict", "optimiser.step()", "model.eval()", "zero_grad",
        "0.3367 and 0.1288; the line that made the data has 0.7 and 0.3",
        "10 of 10 test predictions are equal to the last bit",
        "firstlight fit your.csv --target column",
    ],
)  # fmt: skip
def test_the_lesson_names_what_a_learner_looks_for(taught: Teach, name: str) -> None:
    assert name in flowing(told(taught(COURSE)))


def test_each_of_the_six_steps_is_announced(taught: Teach) -> None:
    said = told(taught(COURSE), width=140)
    starts = [said.index(f"\n{step:<12}{announcement[:40]}") for step, announcement in words.STEPS]
    assert starts == sorted(starts)


def test_the_slow_step_shows_numbers_that_add_up(taught: Teach) -> None:
    step = taught(COURSE).by_hand.slow_step
    assert step.prediction == pytest.approx(step.before.weight * step.x + step.before.bias)
    assert step.after.weight == pytest.approx(step.before.weight - 0.01 * step.gradient.weight)
    assert step.after.bias == pytest.approx(step.before.bias - 0.01 * step.gradient.bias)
    assert step.after == taught(COURSE).by_hand.epochs[0].parameters
    assert "weight: 0.3367 - 0.01 * -0.3900 = 0.3406" in told(taught(COURSE))


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("settings", [COURSE, NOISY], ids=["course", "noisy"])
def test_what_goes_into_a_pipe_has_no_escape_codes_and_no_line_is_too_long(
    taught: Teach, settings: Settings, width: int
) -> None:
    said = told(taught(settings), width)
    folder = str(taught(settings).by_hand.file.parent)
    assert "\x1b" not in said
    assert [row for row in said.splitlines() if len(row) > min(width, 100) and folder not in row] == []
    assert [row for row in said.splitlines() if row != row.rstrip()] == []


def test_a_terminal_that_knows_ascii_only_is_told_in_ascii(taught: Teach) -> None:
    class Old(StringIO):
        encoding = "ascii"

    paper = Old()
    tell(taught(COURSE), Console(file=paper, width=80))
    assert paper.getvalue().isascii()


def test_the_ten_lines_are_ten_and_stand_in_the_script(taught: Teach) -> None:
    lesson = taught(COURSE)
    assert len(lesson.ten_lines.splitlines()) == 10
    for row in lesson.ten_lines.splitlines():
        assert row.strip() in lesson.script


def test_the_contours_of_the_surface_lie_where_the_loss_is_what_they_say(taught: Teach) -> None:
    lesson = taught(COURSE)
    x = torch.tensor(lesson.train.x)
    y = torch.tensor(lesson.train.y)
    lowest, highest = lesson.surface.biases
    checked = 0
    for contour in lesson.surface.contours[1:]:
        for weight, *biases in zip(contour.weights, contour.low, contour.high, strict=True):
            for bias in biases:
                if lowest + 1e-6 < bias < highest - 1e-6:
                    loss = (weight * x + bias - y).abs().mean().item()
                    assert loss == pytest.approx(contour.loss, rel=0.05)
                    checked += 1
    assert checked > 500


@pytest.mark.parametrize(
    "settings",
    [
        COURSE,
        NOISY,
        replace(COURSE, weight=0.0, bias=0.0, rows=5, epochs=1),
        replace(COURSE, weight=1000.0, bias=-1000.0, noise=1000.0, epochs=5),
        replace(COURSE, rows=1000, epochs=1001),
    ],
)
def test_every_line_has_its_pictures(taught: Teach, settings: Settings) -> None:
    lesson = taught(settings)
    models = (lesson.by_hand, lesson.by_layer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for chart in (charts.points(lesson), charts.trained(lesson, models[0]), charts.losses(models[1])):
            assert chart.to_dict()
        assert charts.descent(lesson, models).to_dict()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"rows": 4}, "--rows 4 makes no lesson; choose a number from 5 to 10000."),
        ({"rows": 10_001}, "--rows 10001 makes no lesson; choose a number from 5 to 10000."),
        ({"epochs": 0}, "--epochs 0 makes no lesson; choose a number from 1 to 10000."),
        ({"rate": 0.0}, "--rate 0 makes no lesson; choose a number above 0, at most 1."),
        ({"rate": -0.1}, "--rate -0.1 makes no lesson; choose a number above 0, at most 1."),
        ({"rate": float("nan")}, "--rate nan makes no lesson; choose a number above 0, at most 1."),
        ({"weight": float("nan")}, "--weight nan makes no lesson; choose a number from -1000 to 1000."),
        ({"bias": float("inf")}, "--bias inf makes no lesson; choose a number from -1000 to 1000."),
        ({"noise": -0.5}, "--noise -0.5 makes no lesson; choose a number from 0 to 1000."),
        ({"seed": -1}, "--seed -1 makes no lesson; choose a number from 0 to 4294967295."),
    ],
)
def test_a_setting_that_makes_no_lesson_is_refused_in_one_sentence(
    tmp_path: Path, asked: dict[str, float], sentence: str
) -> None:
    with pytest.raises(Refused) as refused:
        run_demo(out=tmp_path / "line", **asked)  # type: ignore[arg-type]
    assert str(refused.value) == sentence
    assert not (tmp_path / "line").exists()


def test_a_module_of_the_lesson_is_an_nn_module_with_two_parameters() -> None:
    for make in (line.HandWrittenLine, line.LinearLayerLine):
        model = make()
        assert isinstance(model, nn.Module)
        assert len(list(model.parameters())) == 2


def test_every_figure_in_the_learners_page_is_one_that_the_lesson_gives(taught: Teach) -> None:
    lesson = taught(COURSE)
    page = (ROOT / "docs" / "straight_line.md").read_text(encoding="utf-8")
    what_happens = page.partition("## A line of your own")[0]
    given = set(re.findall(r"\d+\.\d+", told(lesson)))
    figures = re.findall(r"\d+\.\d+", what_happens)
    assert len(figures) > 40
    assert [figure for figure in figures if figure not in given] == []


def test_every_row_of_the_log_in_the_learners_page_is_a_row_of_the_lesson(taught: Teach) -> None:
    page = (ROOT / "docs" / "straight_line.md").read_text(encoding="utf-8")
    rows = [tuple(row.strip("| ").split(" | ")) for row in re.findall(r"^\| \d+ \|.*$", page, re.MULTILINE)]
    assert len(rows) == 6
    assert set(rows) <= {words.log_row(epoch) for epoch in taught(COURSE).by_hand.epochs}
