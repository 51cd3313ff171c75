"""The sentences of the lesson that both its tellers say: one copy, true for every line and every seed.

A word between backticks is a name in code.
"""

from __future__ import annotations

from firstlight.course.lesson import Epoch, Learned, Lesson, Parameters, Swing
from firstlight.course.settings import REPORT, SCRIPT

STEPS = (
    ("1 Prepare", "Make points of a line that we know, and set some aside, to test later what was learned."),
    ("2 Build", "A model is code with numbers in it that can change: its parameters. They are born random."),
    ("3 Fit", "Make the model a little less wrong, again and again: gradient descent."),
    ("4 Evaluate", "Ask the model about the points that it has never seen, and compare with the answers."),
    ("5 Save", "Put the parameters into a file, load them into a new model: does it answer the same?"),
    ("6 Together", "All of it once more, with a ready-made layer in place of parameters written by hand."),
)
MODULE = (
    "Every model in PyTorch is an `nn.Module`; every number that training may change is an `nn.Parameter`; "
    "`forward` says how it predicts."
)
HOW_TO_READ = (
    "Epochs count from 0. The train loss is as it was before that epoch's step; "
    "the test loss, the weight and the bias are as they were after it."
)
INFERENCE = "`model.eval()` and `torch.inference_mode()` say: this is no training, nothing is learned here."
SURFACE = (
    "Each place on the map is a line: its weight and its bias. The lighter, the smaller its train loss; "
    "the numbers at the edge say how small. Gradient descent walks downhill from where the model was born."
)
SURFACE_FOR_BOTH = (
    "The same map with the ways of both: HandWrittenLine solid, LinearLayerLine dashed. "
    "They are born in different places; downhill leads both towards the same valley."
)
TEN_LINES = "The ten lines of PyTorch that did it"
NEXT = "The same six steps await your own file:"
NEXT_COMMAND = "firstlight fit your.csv --target column"
LOG_COLUMNS = ("epoch", "train loss", "test loss", "weight", "bias")


def title(lesson: Lesson) -> str:
    """What the lesson is called."""
    return f"A straight line, learned from {len(lesson.train.x)} points"


def data(lesson: Lesson) -> str:
    """Where the points come from."""
    x = lesson.train.x + lesson.test.x
    made = f"{len(x)} points of the line {equation(lesson)}, for x from {x[0]:g} to {x[-1]:.4g}"
    noise = lesson.settings.noise
    return f"{made}; to each y a random number is added, of about {noise:g} (noise)." if noise else f"{made}."


def equation(lesson: Lesson) -> str:
    """ "y = 0.7 x + 0.3"."""
    sign = "-" if lesson.settings.bias < 0 else "+"
    return f"y = {lesson.settings.weight:g} x {sign} {abs(lesson.settings.bias):g}"


def apart(lesson: Lesson) -> str:
    """Which points are learned from, and what is asked of the model by the others."""
    return (
        f"For learning (train): the first {len(lesson.train.x)}. "
        f"Set aside (test): the last {len(lesson.test.x)}, further right, "
        "so that the model must go on where its points stop."
    )


def born(lesson: Lesson, model: Learned) -> str:
    """The random parameters beside those that are looked for."""
    return f"Born random: {pair(model.born)}; {truth(lesson)}"


def improved(model: Learned) -> str:
    """What training did to the error on the test points."""
    after, before = f"{model.test_loss:.4f}", f"{model.born_loss:.4f}"
    return f"On the test points it is off by {after} on average; before training, by {before}."


def untrained(model: Learned) -> str:
    """What the model says before it has learned anything."""
    said, x = model.born_predictions.y[0], model.born_predictions.x[0]
    return (
        f"So its predictions are random, too: at x = {x:.2f} it says {said:.4f}. "
        f"On the test points it is off by {model.born_loss:.4f} on average."
    )


def became(lesson: Lesson, model: Learned) -> str:
    """The trained parameters beside those that were looked for."""
    return f"After {_steps(model)} the parameters are {pair(model.final)}; {truth(lesson)}"


def truth(lesson: Lesson) -> str:
    """The end of a sentence that names the parameters looked for."""
    return f"the line that made the data has {lesson.settings.weight:g} and {lesson.settings.bias:g}."


def optimiser(lesson: Lesson) -> str:
    """Who moves the parameters."""
    return (
        f"`torch.optim.SGD(model.parameters(), lr={lesson.settings.rate:g})` does the moving. One step in slow motion:"
    )


def slow_motion(lesson: Lesson) -> tuple[tuple[str, str], ...]:
    """One step of gradient descent: what happens, and the numbers."""
    step, rate = lesson.by_hand.slow_step, lesson.settings.rate
    before, gradient, after = step.before, step.gradient, step.after
    return (
        ("forward", f"at x = {step.x:.2f} the model predicts"),
        ("", f"{before.weight:.4f} * {step.x:.2f} + {before.bias:.4f} = {step.prediction:.4f}"),
        ("", f"the answer in the data is {step.answer:.4f}"),
        ("loss", f"off by {step.loss:.4f}, the mean of all {len(lesson.train.x)} train points: `nn.L1Loss`"),
        ("gradient", "`loss.backward()` finds by how much the loss changes"),
        ("", f"for each unit of weight: {gradient.weight:.4f}"),
        ("", f"for each unit of bias: {gradient.bias:.4f}"),
        ("step", f"`optimiser.step()` goes against it, times the rate {rate:g}"),
        ("", f"weight: {before.weight:.4f} - {rate:g} * {gradient.weight:.4f} = {after.weight:.4f}"),
        ("", f"bias: {before.bias:.4f} - {rate:g} * {gradient.bias:.4f} = {after.bias:.4f}"),
        ("then", f"off by {step.loss_after:.4f}"),
    )


def and_so_on(model: Learned) -> str:
    """How often the step is made."""
    return f"And so on, {_steps(model)} in all."


def _steps(model: Learned) -> str:
    return "1 step" if len(model.epochs) == 1 else f"{len(model.epochs)} steps"


def state(model: Learned) -> str:
    """What the state_dict holds, by name."""
    values = (model.final.weight, model.final.bias)
    held = ", ".join(f"{name} {value:.4f}" for name, value in zip(model.names, values, strict=True))
    return f"`model.state_dict()` holds what was learned: {held}."


def saved(model: Learned) -> str:
    """Where the parameters went, and in what form."""
    return f"Saved in {model.file} (safetensors: numbers only, no code that could run when it is loaded)."


def left_behind(lesson: Lesson) -> tuple[tuple[str, str], ...]:
    """The files to look at next, and what is in them."""
    folder = lesson.by_hand.file.parent
    return ((str(folder / REPORT), "the pictures"), (str(folder / SCRIPT), "all of this as plain PyTorch"))


def scores(lesson: Lesson) -> tuple[tuple[str, str], ...]:
    """Who predicts, and by how much it is off on the test points, on average."""
    rows = [
        ("this model, trained", lesson.by_hand.test_loss),
        ("this model, as it was born", lesson.by_hand.born_loss),
        ("always the mean of the train points", lesson.constant.test_loss),
        ("least squares, by algebra", lesson.least_squares.test_loss),
    ]
    if lesson.settings.noise > 0:
        rows.append(("the line that made the data", lesson.truth.test_loss))
    return tuple((who, f"{loss:.4f}") for who, loss in rows)


def algebra(lesson: Lesson) -> str:
    """The honest remark that a line needs no gradient descent."""
    return (
        "For a straight line, least squares needs no steps: algebra gives "
        f"{pair(lesson.least_squares.parameters)} in one go. "
        "Gradient descent is for the models that have no such formula, which is nearly all."
    )


def hidden(lesson: Lesson, model: Learned) -> str:
    """What the log does not show: every step has the same length, so the last ones go to and fro."""
    swing = model.swing
    if swing is None:
        return _not_there_yet(model)
    logged = {epoch.parameters for epoch in log(lesson, model) if epoch.number + 1 >= swing.since}
    if logged == {swing.other}:
        seen = "The log shows only the other"
    elif logged == {swing.kept}:
        seen = "The log shows only this one"
    else:
        seen = "A log with fewer rows could show one and hide the other"
    return (
        f"What the log hides: {_to_and_fro(swing)} {seen}; one step more, and that other line would be kept. "
        "With a constant rate the last steps are too long to land between the two. "
        "A rate that shrinks (`torch.optim.lr_scheduler`) would let them."
    )


def swings_too(model: Learned) -> str:
    """The same for the second model, without saying everything twice."""
    return f"Here too: {_to_and_fro(model.swing)}" if model.swing else _not_there_yet(model)


def _to_and_fro(swing: Swing) -> str:
    return (
        f"from update {swing.since} on, the parameters swing to and fro between "
        f"{pair(swing.kept)} (test loss {swing.kept_test_loss:.4f}), which is kept, and "
        f"{pair(swing.other)} ({swing.other_test_loss:.4f})."
    )


def _not_there_yet(model: Learned) -> str:
    before_last = model.epochs[-2].parameters if len(model.epochs) > 1 else model.born
    if model.final == before_last:
        return "The last step moved nothing: it is smaller than the last digit of the parameters."
    return "The parameters still move at the last step; more steps (`--epochs`) may bring them nearer."


def reloaded(model: Learned) -> str:
    """Whether the copy from the file is the model that was saved."""
    rows = len(model.predictions.y)
    return (
        f"A new model is born with {pair(model.newborn)}. After `load_state_dict` it has "
        f"{pair(model.reloaded)}, and {model.equal_predictions} of {rows} test predictions are equal "
        "to the last bit."
    )


def log_row(epoch: Epoch) -> tuple[str, ...]:
    """One row of the log, as `LOG_COLUMNS` names its cells."""
    numbers = (epoch.train_loss, epoch.test_loss, epoch.parameters.weight, epoch.parameters.bias)
    return (str(epoch.number), *(f"{number:.4f}" for number in numbers))


def log_every(lesson: Lesson) -> int:
    """How many epochs lie between two rows of the log: 10 for 200 epochs, never more than 20 rows."""
    steps = (1, 2, 5, 10, 20, 50, 100, 200, 500)
    return next(every for every in steps if every * 20 >= lesson.settings.epochs)


def log(lesson: Lesson, model: Learned) -> tuple[Epoch, ...]:
    """The epochs that are shown."""
    return model.epochs[:: log_every(lesson)]


def pair(parameters: Parameters) -> str:
    """ "0.6990 and 0.3093": the weight and the bias."""
    return f"{parameters.weight:.4f} and {parameters.bias:.4f}"
