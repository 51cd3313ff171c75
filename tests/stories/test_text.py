"""From texts in a table, in lines or in folders to a model, its answers, and a script that fits it again."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import firstlight
from firstlight.checking import check
from firstlight.model.fitting import Epoch
from firstlight.workflow import Choices, Finished, Interrupted, fit_steps

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit
    from tests.stories.conftest import Run

PROOF = "the same model, to the last bit\n"


def fits_again(bare: Bare, folder: Path | None) -> None:
    """The script of the run, where firstlight is not installed, proves that it fits the same model."""
    assert folder is not None
    said, fault = bare(folder.resolve() / "train.py")
    assert fault == ""
    assert said.endswith(PROOF)


def reviews(rows: int = 160, seed: int = 0) -> pl.DataFrame:
    """Reviews with their stars: one word in each says how good it was, in one of ten something else is said."""
    chance = random.Random(seed)
    good, bad = "lovely great charming moving".split(), "awful dull boring flat".split()
    things, places = "film story cast plot music ending".split(), "Lyon Kyoto Oslo Lima Bonn Graz Bern Turin".split()
    found = []
    for _ in range(rows):
        liked = chance.random() < 0.5
        word = chance.choice(good if liked == (chance.random() < 0.9) else bad)
        first, second = chance.sample(things, 2)
        text = (
            f"We saw it in {chance.choice(places)} with {chance.randint(2, 99)} others. The {first} was {word}, "
            f"and the {second} {chance.choice(['too', 'less so', 'as ever', 'not at all'])}"
            f"{chance.choice(['!', '.', '...', ' 😀', ' <br />'])}"
        )
        found.append((text, "good" if liked else "bad"))
    return pl.DataFrame(found, schema=["review", "stars"], orient="row")


def with_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """A number and a category beside the texts, and gaps in all of them."""
    chance = random.Random(1)
    gaps = pl.int_range(len(rows)) % 9 == 4
    return rows.with_columns(
        pl.when(gaps).then(None).otherwise("review").alias("review"),
        pl.Series("minutes", [chance.gauss(110, 20) if place % 11 else None for place in range(len(rows))]),
        pl.Series("country", [chance.choice(["fr", "jp", "no", None]) for _ in range(len(rows))]),
    )


def test_a_table_with_a_text_goes_all_the_way(run: Run, bare: Bare) -> None:
    reviews().write_csv("reviews.csv")
    done = run("fit", "reviews.csv", "--target", "stars", "--time", "1s", "--out", "run")
    assert (done.status, done.err) == (0, "")
    assert re.search(r"review +text +median \d\d words, longest \d\d", done.out)
    assert re.search(r"words: 20 of 20 epochs, loss \d\.\d+ on rows held out", done.out)
    assert re.search(r"network +\d+\.\d % ", done.out)
    assert "◀ kept" in done.out

    reviews(40, seed=5).drop("stars").write_csv("new.csv")
    done = run("predict", "run", "new.csv", "--out", "answers.csv")
    assert (done.status, done.err) == (0, "")
    answers, truth = pl.read_csv("answers.csv"), reviews(40, seed=5)["stars"]
    assert answers.columns[-3:] == ["stars", "P(bad)", "P(good)"]
    assert (answers["stars"] == truth).sum() >= 30, "the words that tell how good it was were found"

    reviews(40, seed=5).write_csv("known.csv")
    done = run("evaluate", "run", "known.csv")
    assert (done.status, done.err) == (0, "")
    assert "straight line" in done.out
    done = run("inspect", "run")
    assert (done.status, done.err) == (0, "")
    assert "PieceSums" in done.out
    fits_again(bare, Path("run"))


def test_a_plan_that_is_given_back_gives_the_same_bytes_and_one_with_fewer_parts_is_followed(run: Run) -> None:
    reviews().write_csv("reviews.csv")
    assert run("fit", "reviews.csv", "--target", "stars", "--time", "1s", "--out", "first").status == 0
    assert run("fit", "--plan", "first/plan.toml", "--out", "second").status == 0
    for name in ("model.safetensors", "plan.toml", "train.py"):
        assert Path("first", name).read_bytes() == Path("second", name).read_bytes()
    plan = Path("first/plan.toml").read_text(encoding="utf-8")
    fewer = re.sub(r"\[(counts|letters|vectors)\]\n(\w+ = .*\n)+\n", "", plan).replace("epochs = 20", "epochs = 3")
    Path("plan.toml").write_text(fewer, encoding="utf-8")
    done = run("fit", "--plan", "plan.toml", "--out", "third")
    assert (done.status, done.err) == (0, "")
    assert "3 of 3 epochs" in done.out
    assert list(firstlight.load("third").predictor.plan.epochs.items()) == [("words", 3)]


def test_a_script_of_one_part_alone_fits_the_same_model(run: Run, fit: Fit, bare: Bare) -> None:
    """A part that stands alone is calibrated by a temperature, not by weights."""
    reviews().write_csv("reviews.csv")
    plan = fit("reviews.csv", Choices("stars")).predictor.plan
    for name, settings in plan.parts.items():
        alone = fit(
            "reviews.csv", Choices("stars"), plan=plan.model_copy(update={"parts": {name: settings}}), keep="network"
        )
        fits_again(bare, alone.folder)


@pytest.mark.parametrize("keep", ["network", "straight line"])
def test_texts_beside_numbers_and_categories_are_read_by_parts_of_their_own(
    keep: str, run: Run, fit: Fit, bare: Bare, tmp_path: Path
) -> None:
    with_columns(reviews()).write_csv("films.csv")
    found = fit("films.csv", Choices("stars"), keep=keep)
    assert list(found.predictor.plan.epochs)[:2] == ["columns", "words"]
    assert len(found.predictor.weights) == len(found.predictor.plan.epochs)
    assert found.predictor.plan.inputs == ("review", "minutes", "country")
    assert found.folder is not None
    answers = firstlight.predict(found.folder, with_columns(reviews(30, seed=3)).drop("stars", "country"))
    assert len(answers.frame) == 30
    assert any("country" in note for note in answers.notes)
    fits_again(bare, found.folder)


@pytest.mark.parametrize("keep", ["network", "straight line"])
def test_a_number_is_predicted_from_texts(keep: str, run: Run, fit: Fit, bare: Bare) -> None:
    rows = reviews(240)
    chance = random.Random(2)
    amounts = [(4.0 if stars == "good" else 1.0) + chance.gauss(0, 0.5) for stars in rows["stars"]]
    rows.select("review", pl.Series("rating", amounts)).write_csv("ratings.csv")
    found = fit("ratings.csv", Choices("rating"), keep=keep)
    assert "counts" not in found.predictor.plan.parts
    fits_again(bare, found.folder)
    if keep == "network":
        assert found.evaluation is not None
        assert found.predictor.held_out_losses["network"] < 2.0  # of 2.5: without the texts


def test_lines_of_json_are_read_as_any_table(run: Run, bare: Bare) -> None:
    rows = with_columns(reviews())
    Path("films.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows.to_dicts()), encoding="utf-8")
    done = run("fit", "films.jsonl", "--target", "stars", "--time", "1s", "--out", "run")
    assert (done.status, done.err) == (0, "")
    assert re.search(r"review +text ", done.out)
    fits_again(bare, Path("run"))


def test_folders_of_text_files_are_the_classes(run: Run, bare: Bare) -> None:
    for number, (text, stars) in enumerate(reviews(80).iter_rows()):
        path = Path("films", stars, f"{number}.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    done = run("fit", "films", "--time", "1s", "--out", "run")
    assert (done.status, done.err) == (0, "")
    assert re.search(r"label +target +2 classes", done.out)
    assert re.search(r"text +text +median \d\d words", done.out)
    assert re.search(r"path +left out", done.out), "where a file lies tells its class"
    fits_again(bare, Path("run"))
    Path("new").mkdir()
    shutil.copy(next(Path("films/good").iterdir()), "new/one.txt")
    done = run("predict", "run", "new", "--out", "answers.csv")
    assert (done.status, done.err) == (0, "")
    assert len(pl.read_csv("answers.csv")) == 1


@pytest.mark.parametrize(("part", "epoch"), [("words", 3), ("counts", 1), ("letters", 2), ("vectors", 1)])
def test_ctrl_c_during_a_part_keeps_what_there_is_and_the_script_ends_there_too(
    part: str, epoch: int, run: Run, bare: Bare
) -> None:
    reviews().write_csv("reviews.csv")
    events = fit_steps("reviews.csv", Choices("stars", seconds=0.001), None, Path("run"))
    for event in events:
        if isinstance(event, Epoch) and (event.part, event.number) == (part, epoch):
            break
    assert isinstance(events.throw(KeyboardInterrupt()), Interrupted)
    *_, last = events
    assert isinstance(last, Finished)
    plan = last.run.predictor.plan
    assert [name for name, done in plan.last_epochs.items() if done][-1] == part
    assert plan.last_epochs[part] == epoch
    answers = last.run.predict(reviews(20, seed=4).drop("stars"))
    assert answers["P(good)"].is_finite().all()
    fits_again(bare, Path("run"))


def test_two_texts_in_one_table_are_told_apart(run: Run, fit: Fit, bare: Bare) -> None:
    """The same words say how good a film was in one column, and nothing in the other."""
    rows = reviews(240)
    other = rows["review"].sample(len(rows), shuffle=True, seed=1).alias('the "other" {one}\\n#')
    found = fit(rows.with_columns(other), Choices("stars"), keep="network")
    assert len(found.predictor.plan.inputs) == 2
    fresh = reviews(60, seed=9)
    first = found.predict(fresh.with_columns(fresh["review"].reverse().alias(other.name)))["stars"]
    assert (first == fresh["stars"]).sum() >= 42
    fits_again(bare, found.folder)


def test_few_groups_leave_fewer_folds_and_the_model_is_fitted_all_the_same(run: Run, fit: Fit, bare: Bare) -> None:
    rows = reviews().with_columns(pl.Series("town", [f"t{place % 4}" for place in range(160)]))
    rows.write_csv("towns.csv")
    found = fit("towns.csv", Choices("stars", group="town"), keep="network")
    fits_again(bare, found.folder)


def test_a_plan_with_more_folds_than_members_is_followed(run: Run, fit: Fit, bare: Bare) -> None:
    with_columns(reviews()).write_csv("films.csv")
    plan = fit("films.csv", Choices("stars")).predictor.plan
    more = plan.model_copy(update={"fitting": plan.fitting.model_copy(update={"folds": 8})})
    found = fit("films.csv", Choices("stars"), plan=more, keep="network")
    fits_again(bare, found.folder)


def test_a_look_at_a_table_tells_how_long_its_texts_are(run: Run) -> None:
    texts = [f"{'word ' * (place % 40 + 5)}{place}" for place in range(40)]
    texts += ["the last of all these " * 50, "\t \t"]
    gaps: list[str | None] = [None, "NA"]
    labels = ["a", "b"] * 22
    pl.DataFrame({"notes": [*texts, *gaps], "answer": labels}).write_parquet("notes.parquet")
    done = run("check", "notes.parquet", "--target", "answer")
    assert (done.status, done.err) == (0, "")
    assert re.search(r"notes +text +median 26 words, longest 250, 1 cell blank; 2 gaps", done.out)
    seen = check(pl.DataFrame({"notes": [f"味道很好吃送餐快{chr(0x4E00 + place)}" for place in range(40)]}))
    assert seen.columns[0].text == "median 9 letters, longest 9"
    texts[0] = "some words " * 5000
    seen = check(pl.DataFrame({"notes": texts}))
    assert seen.columns[0].text.endswith(", 1 cell blank, of 1 cell the first 50 000 letters are read")
