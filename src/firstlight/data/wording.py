"""Words for counts and lists in notes and refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firstlight.wording import counted, whole

NAMES_SHOWN = 3
LONGEST_REASON = 150
NOTES_SHOWN = 5


def are(count: int) -> str:
    """Say "is" after one thing, "are" after several."""
    return "is" if count == 1 else "are"


def listed(names: Sequence[str]) -> str:
    """The first few names in quotes, and how many more there are."""
    shown = ", ".join(map(repr, names[:NAMES_SHOWN]))
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {whole(len(names) - NAMES_SHOWN)} more"


def numbered(numbers: Sequence[int], noun: str) -> str:
    """Say "line 6", "lines 6, 10 and 21"; of many the first and how many they are."""
    if len(numbers) == 1:
        return f"{noun} {whole(numbers[0])}"
    if len(numbers) > 2 * NAMES_SHOWN:
        return f"{whole(len(numbers))} {noun}s (the first: {whole(numbers[0])})"
    return f"{noun}s {', '.join(whole(number) for number in numbers[:-1])} and {whole(numbers[-1])}"


def brief(error: Exception) -> str:
    """What an error of a library says, on one line, short, without a full stop."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return " ".join(text.split())[:LONGEST_REASON].rstrip(". ")


def notes_on_files(oddities: Mapping[str, Sequence[str]]) -> list[str]:
    """Each oddity with the names of the files that have it, the most frequent first."""
    found = sorted(oddities.items(), key=lambda item: -len(item[1]))
    notes = [f"{listed(files)}: {note}" for note, files in found[:NOTES_SHOWN]]
    if len(found) > NOTES_SHOWN:
        rest = len({file for _, files in found[NOTES_SHOWN:] for file in files})
        notes.append(f"{counted(rest, 'more file')} {'has' if rest == 1 else 'have'} something odd")
    return notes
