"""Pictures and videos, from files to a tested model, its predictions and its script."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.spec.test_backbone import write_resnet

import firstlight
from firstlight.kinds import convolving
from firstlight.kinds.image import IMAGE, PicturesSettings
from firstlight.model.predictor import NETWORK
from firstlight.refusal import Refused
from firstlight.store.model_file import load_model
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit
    from tests.stories.conftest import Printed, Run

PICTURES = 60
CLASSES = ("bars", "spots")
ENOUGH = "5"  # seconds, in which so few small pictures are learned many times over


def drawn(label: str, chance: np.random.Generator, height: int = 24, width: int = 32) -> NDArray[np.uint8]:
    """A picture of its class: bars, or spots, bright on a dark ground that is nowhere quite the same."""
    pixels = chance.integers(0, 60, (height, width, 3))
    for _ in range(3):
        top, left = chance.integers(0, height - 6), chance.integers(0, width - 14)
        rows, columns = (slice(top, top + 2), slice(left, left + 12)) if label == "bars" else (slice(top, top + 5),) * 2
        pixels[rows, columns] += 150
    return pixels.astype(np.uint8)


def write_folder(place: Path, pictures: int = PICTURES, seed: int = 0, suffix: str = "png") -> Path:
    """Class folders of pictures."""
    chance = np.random.default_rng(seed)
    for number in range(pictures):
        label = CLASSES[number % 2]
        (place / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn(label, chance)).save(place / label / f"{number}.{suffix}")
    return place


def zipped(folder: Path) -> Path:
    """The folder's files in an archive, in a folder of its name."""
    place = folder.with_suffix(".zip")
    with zipfile.ZipFile(place, "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder.parent))
    return place


def said(printed: Printed) -> str:
    """What was printed, with every gap one blank."""
    assert (printed.status, printed.err) == (0, "")
    return " ".join(printed.out.split())


class TestFiles:
    """Pictures, wherever they lie."""

    def test_a_folder_for_each_class_is_fitted_without_a_word_about_its_columns(self, run: Run) -> None:
        write_folder(Path("shapes"))
        told = said(run("fit", "shapes", "--time", ENOUGH, "--out", "run"))
        assert "label target 2 classes (bars 30, spots 30)" in told
        assert "image image 24 x 32 pixels, in colour" in told
        new = write_folder(Path("new"), 10, seed=1)
        assert "predicted 10 rows into predictions.csv" in said(run("predict", "run", new))
        answers = pl.read_csv("predictions.csv")
        assert answers.columns == ["path", "label", "P(bars)", "P(spots)"]
        assert answers["path"].to_list() == sorted(path.relative_to(new).as_posix() for path in new.rglob("*.png"))
        assert "On 10 rows of new; look 1 at them" in said(run("evaluate", "run", "new"))

    def test_an_archive_gives_what_its_folder_gives(self, fit: Fit, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "shapes")
        from_folder, from_archive = firstlight.read(folder), firstlight.read(zipped(folder))
        assert from_folder.frame.equals(from_archive.frame)
        assert from_archive.own_target == "label"

    def test_pictures_of_other_sizes_are_answered_in_the_form_of_the_model(self, run: Run) -> None:
        write_folder(Path("shapes"))
        said(run("fit", "shapes", "--time", ENOUGH, "--out", "run"))
        large = drawn("spots", np.random.default_rng(5)).repeat(4, axis=0).repeat(4, axis=1)
        Path("large").mkdir()
        Image.fromarray(large).save("large/one.jpg", quality=95)
        assert "predicted 1 row" in said(run("predict", "run", "large"))
        assert pl.read_csv("predictions.csv")["path"].to_list() == ["one.jpg"]

    def test_a_table_that_names_its_pictures(self, run: Run) -> None:
        folder = write_folder(Path("photos"))
        names = sorted(path.relative_to(folder.parent).as_posix() for path in folder.rglob("*.png"))
        chance = np.random.default_rng(3)
        prices = [100.0 * ("spots" in name) + float(chance.normal(0, 5)) for name in names]
        rooms = chance.integers(1, 6, len(names)).tolist()
        pl.DataFrame({"photo": names, "rooms": rooms, "price": prices}).write_csv("houses.csv")
        told = said(run("fit", "houses.csv", "--target", "price", "--time", ENOUGH, "--out", "run"))
        assert "photo image 24 x 32 pixels" in told
        assert "rooms number" in told
        pl.DataFrame({"photo": names[:3], "rooms": [1, 2, 3]}).write_csv("new.csv")
        assert "predicted 3 rows" in said(run("predict", "run", "new.csv"))

    def test_a_frame_of_pixels(self, fit: Fit) -> None:
        chance = np.random.default_rng(0)
        labels = [CLASSES[number % 2] for number in range(PICTURES)]
        frame = pl.DataFrame({"picture": np.stack([drawn(label, chance) for label in labels]), "label": labels})
        run = fit(frame, Choices("label"))
        assert run.predict(frame.head(3)).height == 3
        assert run.predictor.plan.of_kind(IMAGE).keys() == {"picture"}
        grey = pl.DataFrame({"picture": frame["picture"].to_numpy()[:3, ..., :1]})
        with pytest.raises(Refused, match=r"picture holds pixels of the form 24 x 32 x 1; .* from 24 x 32 x 3"):
            run.predict(grey)
        larger = pl.DataFrame({"picture": frame["picture"].to_numpy()[:3].repeat(2, axis=1)})
        assert run.predict(larger).height == 3

    def test_grey_pictures_may_stand_beside_ones_in_colour_and_change_places(self, fit: Fit) -> None:
        chance = np.random.default_rng(0)
        labels = [CLASSES[number % 2] for number in range(PICTURES)]
        colour = np.stack([drawn(label, chance) for label in labels])
        grey = colour[..., :1]
        run = fit(pl.DataFrame({"one": colour, "other": grey, "label": labels}), Choices("label", seconds=1.0))
        for one, other in ((grey, colour), (colour, colour)):
            assert run.predict(pl.DataFrame({"one": one[:3], "other": other[:3]})).height == 3
        with pytest.raises(
            Refused, match=r"^one holds pixels of the form 24 x 32 x 1; the model learned from 24 x 32 x 3"
        ):
            run.predict(pl.DataFrame({"one": grey[:3], "other": grey[:3]}))

    def test_without_a_test_all_pictures_teach(self, fit: Fit, tmp_path: Path) -> None:
        run = fit(write_folder(tmp_path / "shapes"), Choices(test=0.0, seconds=1.0), out=tmp_path / "run")
        assert run.evaluation is None

    def test_five_pictures_a_class_are_enough_to_fit_and_answer(self, fit: Fit) -> None:
        chance = np.random.default_rng(0)
        labels = [f"class {number % 6}" for number in range(30)]
        frame = pl.DataFrame({"picture": np.stack([drawn("bars", chance) for _ in labels]), "label": labels})
        run = fit(frame, Choices("label", seconds=1.0))
        assert run.predict(frame.head(3))["P(class 0)"].is_finite().all()

    @pytest.mark.parametrize("photo", [None, "nowhere.png"])
    def test_rows_without_their_pictures_are_answered_from_the_rest(
        self, photo: str | None, fit: Fit, tmp_path: Path
    ) -> None:
        chance = np.random.default_rng(0)
        labels = [CLASSES[number % 2] for number in range(PICTURES)]
        pictures = np.stack([drawn(label, chance) for label in labels])
        frame = pl.DataFrame({"photo": pictures, "age": chance.integers(20, 60, PICTURES), "label": labels})
        run = fit(frame, Choices("label", seconds=1.0))
        rows = pl.DataFrame({"age": [1, 2]}).with_columns([] if photo is None else [pl.lit(photo).alias("photo")])
        answered = firstlight.predict(run, rows)
        assert answered.frame.height == 2
        told = "the column is missing" if photo is None else "no image is there"
        assert f"photo: {told}: taken as a gap in every row" in answered.notes


def test_cells_that_hold_no_number_do_not_say_how_pictures_are_read() -> None:
    """Whether mirror images are alike is told by the other rows: here the price is how bright a picture is."""
    chance = np.random.default_rng(0)
    bright = chance.integers(40, 200, 200)
    pixels = (bright[:, None, None, None] + chance.integers(0, 40, (200, 12, 12, 3))).astype(np.uint8)
    prices = [str(each) for each in bright]
    for told in (prices, ["n/a", *prices[1:-1], "unknown"]):
        rows = firstlight.read(pl.DataFrame({"picture": pixels, "price": told}))
        settings = firstlight.plan(firstlight.split(rows, "price", test=0), task="regression").parts["pictures"]
        assert isinstance(settings, PicturesSettings)
        assert settings.mirror


class TestScript:
    """What is ejected."""

    def test_the_script_decodes_retrains_and_proves(self, fit: Fit, bare: Bare, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "shapes", suffix="jpg")
        run = fit(folder, Choices(), out=tmp_path / "run", keep=NETWORK)
        assert run.folder is not None
        assert not (run.folder / "rows.parquet").exists(), "the script reads the files themselves"
        script = (run.folder / "train.py").read_text(encoding="utf-8")
        assert "read_image_classes" in script
        assert "firstlight" not in script.split('"""', 2)[2]
        printed, fault = bare(run.folder / "train.py")
        assert fault == ""
        assert "the same model, to the last bit" in printed


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_a_pretrained_encoder_helps_and_is_saved_whole(
    kind: str, fit: Fit, bare: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolving, "products_a_second", lambda: 3e10)  # on a slow machine there were no time to tune
    encoder = write_resnet(tmp_path / "resnet", kind)
    folder = write_folder(tmp_path / "shapes")
    choices = Choices(seconds=3.0, pretrained=str(encoder))
    run = fit(folder, choices, out=tmp_path / "run", keep=NETWORK)
    assert run.folder is not None
    assert list(run.predictor.plan.parts) == ["pictures", "backbone", "tuned"]
    printed, fault = bare(run.folder / "train.py")
    assert fault == ""
    assert "the same model, to the last bit" in printed
    pictures = firstlight.read(folder).frame
    answers = run.predict(pictures)
    shutil.rmtree(encoder)
    assert firstlight.load(run.folder / "model.safetensors").predict(pictures).equals(answers)


class TestModelFile:
    """Saved and loaded."""

    def test_the_file_holds_pictures_as_examples_and_answers_without_the_folder(self, fit: Fit, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "shapes")
        run = fit(folder, Choices(), out=tmp_path / "run")
        pictures = firstlight.read(folder).frame
        answers = run.predict(pictures)
        for path in folder.rglob("*.png"):
            path.unlink()
        assert run.folder is not None
        again = load_model(run.folder / "model.safetensors")
        assert firstlight.predict(run.folder, pictures).frame.equals(answers)
        assert again.predictor.plan == run.predictor.plan


@pytest.mark.parametrize("what", ["image"])
def test_one_bad_picture_among_many_costs_one_row(run: Run, what: str) -> None:
    write_folder(Path("shapes"))
    Path("shapes/bars/bad.png").write_bytes(b"<html>404</html>")
    told = said(run("fit", "shapes", "--time", ENOUGH, "--out", "run"))
    assert "1 picture cannot be read and is left out" in told
    assert "2 classes (bars 30, spots 30)" in told
