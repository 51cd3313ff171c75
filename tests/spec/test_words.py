"""Texts are taken apart into words and letters as a person would, and hashed alike on every machine."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections import Counter
from itertools import groupby, pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.plain.ragged import Ragged, TwoLevels
from firstlight.plain.words import LONGEST_TEXT, letter_pieces, neighbour_pieces, word_pieces

ENDLESS = 2**64  # whole numbers begin anew from here


def mixed(number: int) -> int:
    """MurmurHash3's last step, from its public description."""
    number ^= number >> 33
    number = number * 0xFF51AFD7ED558CCD % ENDLESS
    number ^= number >> 33
    number = number * 0xC4CEB9FE1A85EC53 % ENDLESS
    return number ^ number >> 33


def paired(first: int, second: int) -> int:
    return mixed((first * 0x9E3779B97F4A7C15 + second) % ENDLESS)


def hashed(letters: str) -> int:
    return mixed(sum(mixed(ord(letter) | place << 21) for place, letter in enumerate(letters)) % ENDLESS)


def written(text: str | None, *, lower: bool = True) -> str:
    """A text as it is read: without tags and entities, in lower case where asked for, each accent with its letter."""
    bare = re.sub(r"<[a-zA-Z/!][^<>]{0,200}>", " ", (text or "")[:LONGEST_TEXT])
    bare = re.sub(
        r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{0,31});",
        lambda entity: html.unescape(entity[0]),
        bare,
    )
    return unicodedata.normalize("NFC", (bare.lower() if lower else bare).replace("\n", " "))


def sort_of(letter: str) -> str:
    """Whether a letter is blank, part of a word, or a word by itself; by the names of the letters."""
    name, group = unicodedata.name(letter, ""), unicodedata.category(letter)
    if name.startswith("VARIATION SELECTOR") or group in ("Zs", "Cc", "Cf"):
        return "blank"
    if group[0] in "PS" or (group == "Lo" and name.startswith(("CJK", "HIRAGANA", "KATAKANA", "THAI", "MYANMAR"))):
        return "alone"
    return "letter" if group[0] in "LMN" else "blank"


def words_of(text: str) -> list[str]:
    found: list[str] = []
    for sort, letters in groupby(text, sort_of):
        run = list(letters)
        found += [] if sort == "blank" else run if sort == "alone" else ["".join(run)]
    return found


def pieces_of(text: str | None, column: int = 0) -> set[int]:
    """All pieces of a text, one after the other."""
    words = [hashed(word) for word in words_of(written(text))]
    pieces = set(words)
    for gap in (1, 2):
        pieces |= {paired((word + gap) % ENDLESS, after) for word, after in zip(words, words[gap:], strict=False)}
    pieces |= {paired(10 + place, word) for place, word in enumerate(words[:4])}
    pieces |= {paired(20 + place, word) for place, word in enumerate(words[::-1][:3])}
    pieces.add(paired(30, round(2 * math.log2(len(words) + 1))))
    return {paired(column, piece) >> 33 for piece in pieces}


def neighbours_of(text: str | None, column: int = 0) -> set[int]:
    """Words as they are written, and each with the next one or, at the end, with a 7."""
    words = [hashed(word) for word in words_of(written(text, lower=False))]
    pairs = {paired(word, after) for word, after in zip(words, [*words[1:], 7], strict=False)}
    return {paired(column, piece) >> 33 for piece in {*words, *pairs}}


def letters_of(text: str | None, column: int = 0) -> Counter[int]:
    """The pieces of letters of each different stretch between blanks."""
    pieces: Counter[int] = Counter()
    runs = (
        "".join(letters)
        for blank, letters in groupby(written(text), lambda letter: sort_of(letter) == "blank")
        if not blank
    )
    for stretch in set(runs):
        found = set()
        for size in (2, 3, 4, 5):
            for start in range(len(stretch) + 3 - size):
                number = 0
                for letter in f" {stretch} "[start : start + size]:
                    number = (number * 0x9E3779B97F4A7C15 + ord(letter)) % ENDLESS
                found.add(paired(column, mixed((number + size) % ENDLESS)) >> 33)
        pieces.update(found)
    return pieces


def words(*texts: str | None) -> Ragged:
    return word_pieces(pl.DataFrame({"text": texts}, schema={"text": pl.String}), ["text"])


def letters(*texts: str | None) -> TwoLevels:
    return letter_pieces(pl.DataFrame({"text": texts}, schema={"text": pl.String}), ["text"])


def sets_of(ragged: Ragged) -> list[list[int]]:
    bounds = ragged.starts.tolist()
    return [ragged.values[start:end].tolist() for start, end in pairwise(bounds)]


def counted(levels: TwoLevels) -> list[Counter[int]]:
    parts = sets_of(levels.parts)
    return [Counter(number for part in row for number in parts[part]) for row in sets_of(levels.rows)]


SOME = [
    "The film", " was", " great", "!", "\n", "<br />", "<3", "&nbsp;", "&amp;", "&#10;", "&#xD800;", "&x1;", "don't",
    "ÉTÉ", "été", "İz", "ΣΟΦΟΣ", "很好吃", "ラーメン", "อร่อย", "👨‍👩‍👧", "❤️", "👍🏽", "سيئ جدا", "배송이", "  ", "\t",
    "1,234.50", "x_y", "\x00", "\u200b", "e\u0301", "ﬁ", "Ab",
]  # fmt: skip
texts = (
    st.none() | st.lists(st.sampled_from(SOME), max_size=12).map("".join) | st.text("aB .,é猫\u0301<>\n😀", max_size=20)
)


@given(st.lists(texts, min_size=1, max_size=5))
@settings(max_examples=60)
def test_the_pieces_of_words_are_those_that_a_slow_reader_finds(cells: list[str | None]) -> None:
    assert sets_of(words(*cells)) == [sorted(pieces_of(cell)) for cell in cells]


@given(st.lists(texts, min_size=1, max_size=5))
@settings(max_examples=60)
def test_neighbours_are_those_that_a_slow_reader_finds_with_their_capitals(cells: list[str | None]) -> None:
    rows = pl.DataFrame({"a": cells, "b": cells[::-1]}, schema={"a": pl.String, "b": pl.String})
    expected = [neighbours_of(a) | neighbours_of(b, 1) for a, b in zip(cells, cells[::-1], strict=True)]
    assert sets_of(neighbour_pieces(rows, ["a", "b"])) == [sorted(each) for each in expected]


@given(st.lists(texts, min_size=1, max_size=5))
@settings(max_examples=60)
def test_the_pieces_of_letters_are_those_that_a_slow_reader_finds(cells: list[str | None]) -> None:
    assert counted(letters(*cells)) == [letters_of(cell) for cell in cells]


@given(st.lists(texts, min_size=1, max_size=4))
@settings(max_examples=30)
def test_two_columns_do_not_mix_up_their_words(cells: list[str | None]) -> None:
    rows = pl.DataFrame({"a": cells, "b": cells[::-1]}, schema={"a": pl.String, "b": pl.String})
    both = list(zip(cells, cells[::-1], strict=True))
    assert sets_of(word_pieces(rows, ["a", "b"])) == [sorted(pieces_of(a) | pieces_of(b, 1)) for a, b in both]
    assert counted(letter_pieces(rows, ["a", "b"])) == [letters_of(a) + letters_of(b, 1) for a, b in both]


WORDS = [
    91701512, 194263469, 231368430, 297080259, 637041076, 1025460529, 1055790479, 1082649660, 1323013459, 1404192473,
    1481799090, 1682929582, 1968108016,
]  # fmt: skip
LETTERS = [
    37079453, 88916498, 275182794, 455353764, 579787222, 708736559, 857793185, 989694454, 1080048693, 1098966905,
    1314215864, 1371717319, 1481784361, 1531609830, 1589677598, 1605009646, 1981231799,
]  # fmt: skip


def test_the_pieces_of_a_text_are_these_numbers_on_every_machine() -> None:
    assert sets_of(words("Ein Kätzchen 😀")) == [WORDS]
    assert sorted(counted(letters("Ünal 猫"))[0]) == LETTERS


def test_no_text_has_no_word_but_a_length() -> None:
    for nothing in ("", None, " \t\n", "\u200b", "<p></p>"):
        assert len(words(nothing).values) == 1
        assert len(letters(nothing).rows.values) == 0


def test_a_table_without_rows_has_no_pieces() -> None:
    rows = pl.DataFrame({"text": []}, schema={"text": pl.String})
    assert (len(word_pieces(rows, ["text"])), len(letter_pieces(rows, ["text"]))) == (0, 0)


def same(first: str, second: str) -> bool:
    return sets_of(words(first)) == sets_of(words(second)) and counted(letters(first)) == counted(letters(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("THE FILM WAS ÉTÉ", "the film was été"),
        ("café na\u00efve", "cafe\u0301 nai\u0308ve"),
        ("good<br /><br />film", "good film"),
        ('<a href="https://x.org">good</a> film', " good  film"),
        ("<!-- left over --><p class=x>good film</p>", "good film"),
        ("fish &amp; chips&nbsp;&#8211; it&#x27;s &lt;3", "fish & chips – it's <3"),
        ("good&NewLine;film&#10;", "good film"),
        ("I ❤\ufe0f it", "I ❤ it"),
        ("good\nfilm", "good film"),
        ("good\r\n\tfilm", "good film"),
        ("good\u00a0film", "good film"),
        ("\ufeffgood film", "good film"),
    ],
    ids=["case", "accents", "line breaks", "a link", "a comment", "entities",
         "entities of line breaks", "a coloured sign", "new lines", "tabs",
         "a hard blank", "a mark of order"],
)  # fmt: skip
def test_what_is_the_same_for_a_reader_has_the_same_pieces(first: str, second: str) -> None:
    assert same(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("good film", "film good"), ("I <3 it", "I it"), ("a < b > c", "a c"), ("good", "good!"),
        ("good film", "goodfilm"), ("猫が好き", "犬が好き"), ("👍🏽 it", "👎🏽 it"),
        ("😀", "😀😀"), ("not good", "not bad"), ("schön", "schon"),
        ("a &lt; b", "a b"), ("good &lt;b&gt; film", "good film"), ("&#" + "1" * 5000 + ";", ""), ("R&D; it", "R it"),
    ],
)  # fmt: skip
def test_what_is_not_the_same_for_a_reader_has_other_pieces(first: str, second: str) -> None:
    assert sets_of(words(first)) != sets_of(words(second))


@pytest.mark.parametrize("text", ["味道很好吃送餐快", "とても美味しい", "อาหารอร่อย", "ພາສາລາວ", "ភាសាខ្មែរ", "မြန်မာ"])
def test_where_no_blanks_stand_between_words_texts_share_pieces_by_their_letters(text: str) -> None:
    whole, part = (set(each) for each in sets_of(words(text, "x" + text[1:4])))
    assert len(whole & part) >= 3  # letters, and pairs of them


def test_korean_is_parted_at_its_blanks() -> None:
    assert words_of("배송이 빠르고") == ["배송이", "빠르고"]
    assert sets_of(words("배송이 빠르고")) == [sorted(pieces_of("배송이 빠르고"))]


def test_a_family_and_a_skin_colour_are_read_as_the_signs_that_they_are_made_of() -> None:
    family, man = (set(each) for each in sets_of(words("👨‍👩‍👧 here", "x 👨 y")))
    assert hashed("👨") in {hashed(word) for word in words_of("👨‍👩‍👧")}
    assert family & man


def test_an_emoji_that_is_too_new_to_be_known_is_a_word_all_the_same() -> None:
    unknown = next(chr(number) for number in range(0x1FAE9, 0x1FB00) if unicodedata.category(chr(number)) == "Cn")
    assert not same(f"so {unknown}", "so")


def test_a_very_long_document_is_read_up_to_its_fifty_thousandth_letter() -> None:
    long = "word " * (LONGEST_TEXT // 5)
    assert LONGEST_TEXT == 50_000
    assert same(long + "and a last one", long)
    assert not same("one more" + long[8:], long)


def test_a_line_of_a_million_letters_is_read() -> None:
    assert len(words("x" * 1_000_000)) == 1
    assert len(letters("x" * 1_000_000).parts.values) == 12  # 2 to 5 of them, at the beginning, within, at the end


@given(st.lists(texts, min_size=1, max_size=6))
@settings(max_examples=30)
def test_each_text_is_taken_apart_by_itself_alone(cells: list[str | None]) -> None:
    assert sets_of(words(*cells)) == [sets_of(words(cell))[0] for cell in cells]
    assert counted(letters(*cells)) == [counted(letters(cell))[0] for cell in cells]


def test_cells_that_are_no_strings_are_read_as_they_are_written() -> None:
    numbers = word_pieces(pl.DataFrame({"text": [12, None]}), ["text"])
    assert sets_of(numbers) == sets_of(words("12", None))
