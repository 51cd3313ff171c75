"""Moved to firstlight.model.answers."""
from firstlight.model.answers import Answers, ClassAnswers, NumberAnswers

__all__ = ["Answers", "ClassAnswers", "NumberAnswers"]
