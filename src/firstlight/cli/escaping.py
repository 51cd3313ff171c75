"""What strangers wrote, made harmless for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with control characters spelt out: what strangers wrote may steer a terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)
