"""What many would write for texts: TF-IDF of words and pairs of words, then logistic regression, or ridge for numbers.

It writes a line when the test rows are predicted, and then its score.
"""

from __future__ import annotations

import sys

import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, r2_score
from sklearn.pipeline import make_pipeline


def main() -> None:
    """Reads the two files, fits, predicts the test rows, and scores them."""
    train_path, target, test_path, score = sys.argv[1:]
    train, test = pl.read_parquet(train_path), pl.read_parquet(test_path)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2)),
        Ridge() if score == "r_squared" else LogisticRegression(max_iter=1000),
    )
    model.fit(train["text"].to_list(), train[target].to_numpy())
    predicted = model.predict(test["text"].to_list())
    print("predicted", flush=True)
    truth = test[target].to_numpy()
    if score == "macro_f1":
        print(f1_score(truth, predicted, average="macro"))
    else:
        print((r2_score if score == "r_squared" else accuracy_score)(truth, predicted))


if __name__ == "__main__":
    main()
