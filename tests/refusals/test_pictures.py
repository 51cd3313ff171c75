"""Pictures in files, archives and arrays: each is read, read with a note, or refused in a sentence, as is promised."""

from __future__ import annotations

import io
import struct
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from firstlight.data.pictures import decode_pictures, header_of
from firstlight.data.places import Source
from firstlight.data.sources import read
from firstlight.data.table import Form
from firstlight.refusal import Refused
from firstlight.workflow import Choices

BADINPUT = Path(__file__).resolve().parents[3] / "shared" / "data" / "badinput"
MANIFEST = tomllib.loads((BADINPUT / "MANIFEST.toml").read_text(encoding="utf-8"))["file"] if BADINPUT.is_dir() else []
STARTS = ("img_", "vid_", "zip_", "tar_", "array_")
LISTED = [entry for entry in MANIFEST if entry["name"].startswith(STARTS)]
# What a note or a refusal has to speak of, where the list says it in other words.
SAYS = {
    "img_truncated.gif": "the first of 2 frames is used",
    "img_truncated.tif": "no picture that can be read",
    "img_claims_100000x100000.png": "10 000 megapixels: too large",
    "img_bad_crc.png": "a checksum is wrong",
    "img_rgba.png": "transparency flattened",
    "img_palette_transparent.png": "transparency flattened",
    "zip_bomb_60mb.zip": "unpacks to 1 ",
    "zip_one_broken_picture.zip": "2 pictures cannot be read and are left out",
    "zip_junk_files.zip": "left out",
    "zip_class_case_collision.zip": "differ only in case",
    "zip_symlink.zip": "a link is not a picture",
    "zip_path_traversal.zip": "a name that leads out of the folder",
}
# What the list expects of a whole fit, and reading alone does not know.
LEFT_TO_A_FIT = {"zip_one_class.zip", "zip_same_picture_two_classes.zip"}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is found in the cache of whoever runs the tests, and nothing left there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def is_one_sentence(text: str) -> bool:
    return text[:1] != " " and "\n" not in text and len(text) < 400


@pytest.mark.skipif(not LISTED, reason="the bad input lies in shared/ beside the checkout")
@pytest.mark.parametrize("entry", LISTED, ids=[entry["name"] for entry in LISTED])
def test_each_odd_file_is_read_noted_or_refused_as_its_list_says(
    entry: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(BADINPUT)
    name = entry["name"]
    if entry["expect"] == "refuse in one sentence" and name not in LEFT_TO_A_FIT:
        with pytest.raises(Refused) as refusal:
            read(name)
        assert is_one_sentence(str(refusal.value))
        assert name in str(refusal.value)
        assert SAYS.get(name, "") in str(refusal.value)
    else:
        table = read(name)
        assert all(map(is_one_sentence, table.notes))
        assert SAYS.get(name, "") in " | ".join(table.notes)
        if name not in LEFT_TO_A_FIT:
            assert bool(table.notes) == (entry["expect"] == "read with a note"), table.notes
    assert capfd.readouterr() == ("", "")


def picture(seed: int = 0, height: int = 20, width: int = 30) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def archive(place: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(place, "w") as stream:
        for name, content in files.items():
            stream.writestr(name, content)
    return place


class TestArchives:
    """Zip archives, which are read and never unpacked."""

    def test_a_folder_in_an_archive_is_named_by_a_path_into_it(self, tmp_path: Path) -> None:
        files = {
            f"set/{part}/{label}/{number}.png": picture(number)
            for part in ("train", "val") for label in ("ants", "bees") for number in range(3)
        }  # fmt: skip
        place = archive(tmp_path / "set.zip", files)
        with pytest.raises(Refused, match=r"set.zip/set/train --test .*set.zip/set/val\.$"):
            read(place)
        table = read(place / "set" / "train")
        assert table.frame["label"].to_list() == ["ants"] * 3 + ["bees"] * 3
        assert table.frame["path"].to_list()[0] == "ants/0.png"
        with pytest.raises(Refused, match="there is no folder 'set/trian'"):
            read(place / "set" / "trian")

    @pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "b/../../a.png", "c:/a.png", "b\\a.png"])
    def test_a_name_that_leads_out_is_refused(self, name: str, tmp_path: Path) -> None:
        place = archive(tmp_path / "a.zip", {"b/1.png": picture(), name: picture()})
        with pytest.raises(Refused, match="leads out of the folder"):
            read(place)

    def test_a_picture_that_is_damaged_in_the_archive_costs_its_row(self, tmp_path: Path) -> None:
        place = archive(tmp_path / "a.zip", {f"b/{number}.png": picture(number) for number in range(4)})
        content = bytearray(place.read_bytes())
        at = content.find(b"IDAT")
        content[at + 8] ^= 255
        place.write_bytes(content)
        table = read(place)
        assert len(table.frame) == 3
        assert "1 picture cannot be read and is left out" in table.notes[-1]

    def test_one_class_leaves_nothing_to_tell_apart(self, tmp_path: Path) -> None:
        from firstlight.workflow import fit_steps

        place = archive(tmp_path / "a.zip", {f"ants/{number}.png": picture(number) for number in range(12)})
        with pytest.raises(Refused, match="column 'label' is the same in every row"):
            list(fit_steps(place, Choices(), None, tmp_path / "run"))


class TestTables:
    """Tables whose cells name pictures."""

    def test_what_is_missing_or_broken_becomes_a_gap_and_is_named(self, tmp_path: Path) -> None:
        for number in range(4):
            (tmp_path / f"{number}.png").write_bytes(picture(number))
        (tmp_path / "3.png").write_bytes(b"")
        names = ["0.png", "1.png", "2.png", "3.png", "4.png", None]
        pl.DataFrame({"photo": names, "price": range(6)}).write_csv(tmp_path / "t.csv")
        table = read(tmp_path / "t.csv")
        assert table.frame["photo"].is_null().to_list() == [False, False, False, True, True, True]
        assert "photo: 2 rows of 6 lack the picture: gaps" in table.notes
        assert any(note.startswith("photo: 1 picture cannot be read and is taken as gaps") for note in table.notes)
        assert table.frame["photo"][1].to_numpy().tolist() == np.asarray(Image.open(tmp_path / "1.png")).tolist()

    def test_names_of_pictures_that_are_nowhere_stay_names(self, tmp_path: Path) -> None:
        pl.DataFrame({"photo": ["a.png", "b.png"], "price": [1, 2]}).write_csv(tmp_path / "t.csv")
        table = read(tmp_path / "t.csv")
        assert table.frame["photo"].to_list() == ["a.png", "b.png"]
        assert table.notes == ("photo names pictures, and none of them lies beside the table: they are not read",)

    def test_a_name_too_long_for_a_file_is_a_gap(self, tmp_path: Path) -> None:
        (tmp_path / "0.png").write_bytes(picture(0))
        pl.DataFrame({"photo": ["0.png", "a" * 5000 + ".png"], "price": [1, 2]}).write_csv(tmp_path / "t.csv")
        assert read(tmp_path / "t.csv").frame["photo"].is_null().to_list() == [False, True]

    @pytest.mark.parametrize("absolute", [True, False])
    def test_names_that_lead_out_of_the_folder_of_the_table_are_not_followed(
        self, tmp_path: Path, absolute: bool
    ) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        for place in (folder, tmp_path):
            (place / "0.png").write_bytes(picture(0))
        outside = str(tmp_path / "0.png") if absolute else "../0.png"
        pl.DataFrame({"photo": ["0.png", outside], "price": [1, 2]}).write_csv(folder / "t.csv")
        table = read(folder / "t.csv")
        assert table.frame["photo"].is_null().to_list() == [False, True]
        assert "photo: not opened, as outside the folder of the table: 1 file" in table.notes

    def test_what_a_name_leads_to_is_told_by_its_path_not_by_links(self, tmp_path: Path) -> None:
        folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
        for place in (folder, elsewhere / "in"):
            place.mkdir(parents=True)
        (elsewhere / "0.png").write_bytes(picture(0))
        (elsewhere / "in" / "1.png").write_bytes(picture(1))
        (folder / "link").symlink_to(elsewhere / "in")
        pl.DataFrame({"photo": ["link/../0.png", "link/1.png"], "price": [1, 2]}).write_csv(folder / "t.csv")
        assert read(folder / "t.csv").frame["photo"].is_null().to_list() == [True, False]

    def test_where_all_names_lead_out_of_the_folder_it_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "0.png").write_bytes(picture(0))
        (tmp_path / "data").mkdir()
        pl.DataFrame({"photo": ["../0.png"] * 3, "price": [1, 2, 3]}).write_csv(tmp_path / "data" / "t.csv")
        notes = read(tmp_path / "data" / "t.csv").notes
        assert notes[0] == "photo: not opened, as outside the folder of the table: 1 file"
        assert notes[1].startswith("photo names pictures")

    def test_beside_a_table_with_brackets_in_its_path_files_are_found(self, tmp_path: Path) -> None:
        folder = tmp_path / "photos [2024]"
        folder.mkdir()
        (folder / "0.png").write_bytes(picture(0))
        pl.DataFrame({"photo": ["0.png", str(folder / "0.png")], "price": [1, 2]}).write_csv(folder / "t.csv")
        assert read(folder / "t.csv").frame["photo"].null_count() == 0

    @pytest.mark.parametrize("absolute", [True, False])
    def test_names_that_lead_back_into_the_folder_of_the_table_are_followed(
        self, tmp_path: Path, absolute: bool
    ) -> None:
        folder = tmp_path / "data"
        (folder / "in").mkdir(parents=True)
        (folder / "0.png").write_bytes(picture(0))
        name = str(folder / "0.png") if absolute else "in/../0.png"
        pl.DataFrame({"photo": [name, name], "price": [1, 2]}).write_csv(folder / "t.csv")
        assert read(folder / "t.csv").frame["photo"].null_count() == 0

    def test_bytes_of_pictures_are_read_and_their_paths_left_out(self, tmp_path: Path) -> None:
        cells = [{"bytes": picture(number), "path": f"label{number % 2}/x.png"} for number in range(4)]
        pl.DataFrame({"image": cells, "label": list("abab")}).write_parquet(tmp_path / "t.parquet")
        table = read(tmp_path / "t.parquet")
        assert table.frame.columns == ["image", "label"]
        assert table.frame["image"].dtype == pl.Array(pl.UInt8, (20, 30, 3))


class TestArrays:
    """Pictures in arrays."""

    def test_idx_with_its_labels_beside_it(self, tmp_path: Path) -> None:
        images = np.random.default_rng(0).integers(0, 255, (6, 9, 7), dtype=np.uint8)
        labels = bytes([3, 1, 4, 1, 5, 9])
        (tmp_path / "t-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, 6, 9, 7) + images.tobytes())
        (tmp_path / "t-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 6) + labels)
        table = read(tmp_path / "t-images-idx3-ubyte")
        assert table.own_target == "label"
        assert table.frame["label"].to_list() == list("314159")
        assert np.array_equal(table.frame["image"].to_numpy()[..., 0], images)
        with pytest.raises(Refused, match=r"holds arrays of pictures; name the file: .*t-images-idx3-ubyte"):
            read(tmp_path)
        (tmp_path / "t-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, 6, 9, 7) + images.tobytes()[:-1])
        with pytest.raises(Refused, match="should hold 6 x 9 x 7 bytes and holds 377"):
            read(tmp_path / "t-images-idx3-ubyte")

    @pytest.mark.parametrize("scale", ["bytes", "shares", "channels first"])
    def test_npz_of_training_and_test_gives_the_training_part(self, scale: str, tmp_path: Path) -> None:
        images = np.random.default_rng(0).integers(0, 255, (6, 9, 8, 3), dtype=np.uint8)
        images[0, 0, 0], images[0, 0, 1] = 0, 255
        forms: dict[str, NDArray[Any]] = {
            "bytes": images, "shares": images / 255.0, "channels first": images.transpose(0, 3, 1, 2),
        }  # fmt: skip
        stored = forms[scale]
        np.savez(tmp_path / "a.npz", x_test=stored[:2], y_test=[0, 1], x_train=stored, y_train=[0, 1, 2, 0, 1, 2])
        table = read(tmp_path / "a.npz")
        assert np.array_equal(table.frame["image"].to_numpy(), images)
        assert table.frame["label"].to_list() == list("012012")
        assert table.notes[0] == "pictures from 'x_train', labels from 'y_train'"
        assert "left out" in table.notes[1]

    def test_an_array_that_is_no_picture_is_refused(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.zeros((5, 4)))
        with pytest.raises(Refused, match="an array of 5 x 4 numbers, which are no pictures"):
            read(tmp_path / "a.npy")
        np.save(tmp_path / "b.npy", np.array([{}], dtype=object))
        with pytest.raises(Refused, match="an array of objects, which could run code"):
            read(tmp_path / "b.npy")


def test_a_picture_that_vanishes_is_refused_and_that_is_not_kept_in_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "flower.png"
    Image.new("RGB", (32, 32), "red").save(path)
    content = path.read_bytes()
    file = Source("flower.png", "flower", str(path))
    headers = [header_of(content, file.location)]
    path.unlink()
    for _ in range(2):
        with pytest.raises(Refused, match=r"flower\.png cannot be read: no such file or directory\."):
            decode_pictures([file], headers, Form((32, 32, 3)))
    path.write_bytes(content)
    assert decode_pictures([file], headers, Form((32, 32, 3))).readable.all()
