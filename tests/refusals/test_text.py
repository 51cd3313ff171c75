"""Texts as bad as they come: an answer, or a refusal of one sentence; never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from firstlight.kinds.text import TextSettings
from firstlight.model.predictor import LINE, NETWORK
from firstlight.plan.plan import LEFT_OUT, Column
from firstlight.refusal import Refused
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit

ROWS = 60
PROOF = "the same model, to the last bit\n"
HAN = [chr(0x4E00 + place) for place in range(12 * ROWS)]
WORDS = "the film was good and very long but not so bad".split()


def sentence(number: int) -> str:
    return " ".join(WORDS[(number * step) % len(WORDS)] for step in range(3, 12)) + f" case {number}"


SENTENCES = [sentence(number) for number in range(ROWS)]
TWO = ["yes", "no"] * (ROWS // 2)

# Texts and answers, of which each has something odd.
ODD: dict[str, tuple[list[str | None], list[object]]] = {
    "no piece stands in two texts": (["".join(HAN[12 * row : 12 * row + 12]) for row in range(ROWS)], list(TWO)),
    "all but one are empty words": ([*SENTENCES[:2], *[""] * (ROWS - 2)], list(TWO)),
    "nearly all are missing": ([*SENTENCES[:4], *[None] * (ROWS - 4)], list(TWO)),
    "a class of two rows": (list(SENTENCES), [*["yes"] * (ROWS - 2), "no", "no"]),
    "a class of one row": (list(SENTENCES), [*["yes"] * (ROWS - 1), "no"]),
    "a class for every four rows": (list(SENTENCES), [f"c{number // 4}" for number in range(ROWS)]),
    "numbers": (list(SENTENCES), [number * 1.25 for number in range(ROWS)]),
    "numbers, all but one the same": (list(SENTENCES), [*[1.0] * (ROWS - 1), 1e9]),
    "very long texts": ([f"{text} " * 2000 for text in SENTENCES], list(TWO)),
    "one word of a hundred thousand letters": (["x" * 100_000 + f" {text}" for text in SENTENCES], list(TWO)),
    "hardly a word": ([f"?! {'.' * (number + 1)} so so so so so {number}" for number in range(ROWS)], list(TWO)),
    "control letters": ([f"{text}\x00\x07\x1b[31m\u202e\ufffd" for text in SENTENCES], list(TWO)),
    "right to left": ([f"كان الفيلم رائعا جدا {number} سيئا" for number in range(ROWS)], list(TWO)),
    "tags alone, but for a word": ([f"<p><b>{text}</b></p>" for text in SENTENCES], list(TWO)),
}  # fmt: skip


@pytest.mark.parametrize("keep", [NETWORK, LINE])
@pytest.mark.parametrize("example", ODD)
def test_odd_texts_are_fitted_answered_and_fitted_again_by_the_script(
    example: str, keep: str, fit: Fit, bare: Bare
) -> None:
    texts, answers = ODD[example]
    rows = pl.DataFrame({"text": texts, "answer": answers}, schema_overrides={"text": pl.String})
    run = fit(rows, Choices("answer"), keep=keep)
    assert run.predictor.plan.columns[0].kind == "text"
    strange = pl.DataFrame({"text": [*texts[:5], None, "", "😀", "never seen before", "猫" * 60_000]})
    found = run.predict(strange)
    assert len(found) == 10
    assert all(found.select(pl.col(pl.Float64).is_finite().all()).row(0))
    assert run.folder is not None
    said, fault = bare(run.folder / "train.py")
    assert fault == ""
    assert said.endswith(PROOF)


def test_a_column_of_another_type_than_in_the_fit_is_read_as_it_is_written(fit: Fit) -> None:
    run = fit(pl.DataFrame({"text": SENTENCES, "answer": TWO}), Choices("answer"))
    for cells in ([1, 2], [1.5, None], [True, False]):
        assert len(run.predict(pl.DataFrame({"text": cells}))) == 2


def test_a_table_without_the_texts_is_refused(fit: Fit) -> None:
    run = fit(pl.DataFrame({"text": SENTENCES, "answer": TWO}), Choices("answer"))
    with pytest.raises(Refused, match=r"^frame has none of the columns that the model reads \('text'\)"):
        run.predict(pl.DataFrame({"other": ["a"]}))


def test_a_plan_may_take_any_written_column_for_text_even_one_without_a_word(fit: Fit, bare: Bare) -> None:
    rows = pl.DataFrame({"text": SENTENCES, "mark": ["!", "?", None] * (ROWS // 3), "answer": TWO})
    plan = fit(rows, Choices("answer")).predictor.plan
    columns = (
        Column(name="mark", kind="text", settings=TextSettings()),
        Column(name="text", kind=LEFT_OUT, settings=None),
    )
    marks = plan.model_copy(update={"columns": columns, "network": None})
    for keep in (NETWORK, LINE):
        run = fit(rows, Choices("answer"), plan=marks, keep=keep)
        assert run.predictor.plan.inputs == ("mark",)
        assert run.folder is not None
        said, fault = bare(run.folder / "train.py")
        assert fault == ""
        assert said.endswith(PROOF)


def test_where_texts_are_all_that_is_given_back_to_a_plan_without_them_is_refused(fit: Fit, tmp_path: Path) -> None:
    """A plan names a column that the table has no more."""
    rows = pl.DataFrame({"text": SENTENCES, "answer": TWO})
    plan = fit(rows, Choices("answer")).predictor.plan
    with pytest.raises(Refused) as caught:
        fit(rows.rename({"text": "review"}), Choices("answer"), plan=plan)
    assert "'text'" in str(caught.value)
    assert "\n" not in str(caught.value)
