"""Pictures become pixels as a person sees them, in one size, and are decoded once."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from firstlight.data import pixel_cache
from firstlight.data.pictures import Header, area_for, form_for, header_of
from firstlight.data.pixel_cache import decoded
from firstlight.data.table import Form
from firstlight.plain.pixels import picture_pixels, pixels_of
from firstlight.refusal import Refused

HEIGHT, WIDTH = 18, 24
DRAWN = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
SHAPE = (HEIGHT, WIDTH, 3)


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


class TestPixels:
    """Step 1: from a file to pixels."""

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
    def test_what_was_drawn_comes_back(self, kind: str) -> None:
        few = DRAWN // 86 * 80  # colours that a palette can hold
        options = {"lossless": True} if kind == "WEBP" else {}
        assert np.array_equal(picture_pixels(saved(Image.fromarray(few), kind, **options), SHAPE), few)

    def test_a_palette_and_grey_are_what_they_look_like(self) -> None:
        few = DRAWN // 86 * 80
        paletted = Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE)
        assert np.array_equal(picture_pixels(saved(paletted), SHAPE), np.asarray(paletted.convert("RGB")))
        grey = DRAWN[..., 0]
        assert np.array_equal(picture_pixels(saved(Image.fromarray(grey)), (HEIGHT, WIDTH, 1))[..., 0], grey)
        assert np.array_equal(picture_pixels(saved(Image.fromarray(grey)), SHAPE), np.stack([grey] * 3, axis=2))

    def test_transparency_shows_white(self) -> None:
        alpha = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
        alpha[:9] = 255
        pixels = picture_pixels(saved(Image.fromarray(np.concatenate([DRAWN, alpha], axis=2))), SHAPE)
        assert np.array_equal(pixels[:9], DRAWN[:9])
        assert (pixels[9:] == 255).all()

    @pytest.mark.parametrize("note", range(1, 9))
    def test_it_is_turned_as_the_camera_noted(self, note: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = note
        turned = {
            1: DRAWN, 2: DRAWN[:, ::-1], 3: DRAWN[::-1, ::-1], 4: DRAWN[::-1], 5: DRAWN.transpose(1, 0, 2),
            6: np.rot90(DRAWN, -1), 7: DRAWN[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(DRAWN),
        }[note]  # fmt: skip
        pixels = picture_pixels(saved(Image.fromarray(DRAWN), exif=exif), turned.shape)
        assert np.array_equal(pixels, turned)
        header = header_of(saved(Image.fromarray(DRAWN), exif=exif), "a.png")
        assert (header.height, header.width) == turned.shape[:2]

    def test_16_bits_are_scaled_from_the_darkest_to_the_brightest(self) -> None:
        values = np.linspace(1000, 4315, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
        pixels = picture_pixels(saved(Image.fromarray(values)), (HEIGHT, WIDTH, 1))[..., 0]
        assert np.array_equal(pixels, ((values - 1000.0) * 255 / 3315).round())

    def test_a_large_jpeg_is_averaged_down(self) -> None:
        down, along = np.linspace(0, 250, 16 * HEIGHT), np.linspace(250, 0, 16 * WIDTH)
        large = np.stack([np.add.outer(down, along) / 2] * 3, axis=2)
        pixels = picture_pixels(saved(Image.fromarray(large.astype(np.uint8)), "JPEG", quality=95), SHAPE)
        means = large.reshape(HEIGHT, 16, WIDTH, 16, 3).mean(axis=(1, 3))
        assert np.abs(pixels - means).max() < 6

    def test_half_a_file_is_no_picture(self) -> None:
        content = saved(Image.fromarray(DRAWN), "JPEG")
        with pytest.raises(OSError, match=r"(?i)truncated"):
            picture_pixels(content[: len(content) // 2], SHAPE)

    def test_a_gap_is_zeros(self) -> None:
        cells = pl.Series([DRAWN, None, DRAWN + 1], dtype=pl.Array(pl.UInt8, SHAPE))
        pixels = pixels_of(cells)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels[0], DRAWN)
        assert not pixels[1].any()


class TestForm:
    """The size in which all pictures of a column are read."""

    def header(self, height: int, width: int, *, grey: bool = False) -> Header:
        return Header(width, height, grey, "PNG", b"", ())

    def test_small_pictures_of_one_size_stay_as_they_are(self) -> None:
        assert form_for([self.header(28, 28, grey=True)] * 3) == Form((28, 28, 1))
        assert form_for([self.header(28, 28), self.header(28, 28, grey=True)]) == Form((28, 28, 3))

    def test_others_get_the_usual_area_and_their_middle_shape(self) -> None:
        assert form_for([self.header(300, 400)] * 3) == Form((80, 112, 3))
        assert form_for([self.header(20, 20), self.header(40, 40)]).shape[0] <= 40

    def test_many_pictures_take_no_more_than_a_gigabyte(self) -> None:
        height, width = area_for([(500, 500)] * 200_000, 128 * 128, 3)
        assert 200_000 * 3 * height * width < 1.1e9


class TestCache:
    """What was decoded once is not decoded again."""

    def test_a_second_time_decodes_nothing_and_gives_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        asked: list[int] = []

        def decode(number: int) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
            asked.append(number)
            if number == 1:
                raise Refused("it is broken")
            return np.full((2, 3, 1), number, np.uint8), ("odd",)

        digests, form = [b"a", b"b", b"c"], Form((2, 3, 1))
        for expected in (3, 3):
            found = decoded(digests, form, decode, "1")
            assert found.readable.tolist() == [True, False, True]
            assert found.cells[:, 0, 0, 0].tolist() == [0, 2]
            assert found.notes == (("odd",), ("it is broken",), ("odd",))
            assert len(asked) == expected
        decoded(digests, form, decode, "2")
        decoded([b"a", b"b", b"d"], form, decode, "1")
        assert len(asked) == 9, "another decoder or other contents are decoded"

    def test_a_damaged_file_of_the_cache_is_made_anew(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        decode = lambda number: (np.full((2, 3, 1), 7, np.uint8), ())  # noqa: E731
        decoded([b"a"], Form((2, 3, 1)), decode, "1")
        folder = tmp_path / "firstlight" / "pixels"
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes()[:-3])
        assert decoded([b"a"], Form((2, 3, 1)), decode, "1").cells.tolist() == [[[[7]] * 3] * 2]

    def test_what_was_not_used_for_longest_is_forgotten(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(pixel_cache, "MOST_KEPT", 20)
        decode = lambda number: (np.full((2, 3, 1), 7, np.uint8), ())  # noqa: E731
        for name in (b"a", b"b", b"c", b"d", b"e"):
            decoded([name], Form((2, 3, 1)), decode, "1")
        kept = [path for path in (tmp_path / "firstlight" / "pixels").iterdir() if path.suffix != ".json"]
        assert sum(path.stat().st_size for path in kept) <= 20

    def test_a_folder_that_cannot_be_written_to_costs_no_more_than_decoding(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "firstlight").write_text("a file where a folder should be")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        decode = lambda number: (np.full((2, 3, 1), 7, np.uint8), ())  # noqa: E731
        assert decoded([b"a"], Form((2, 3, 1)), decode, "1").cells.sum() == 42
