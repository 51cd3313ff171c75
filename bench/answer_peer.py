"""CatBoost's defaults, fitted and saved, or asked about the rows of a csv; it runs where CatBoost is installed.

`python answer_peer.py fit TRAIN TARGET MODEL`, then `python answer_peer.py answer ROWS TARGET MODEL OUT`.
"""

from __future__ import annotations

import sys

import pandas as pd
from catboost import CatBoostRegressor
from table_peer import estimator

THREADS = 2


def fit(train_file: str, target: str, model_file: str) -> None:
    """Fits the rows, and saves the model."""
    train = pd.read_parquet(train_file)
    features = train.drop(columns=target)
    words = [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    model = estimator("CatBoost", "regression", THREADS)
    model.fit(features, train[target], cat_features=words)
    model.save_model(model_file)


def answer(rows_file: str, target: str, model_file: str, out_file: str) -> None:
    """Writes the answer to each row."""
    model = CatBoostRegressor().load_model(model_file)
    answers = model.predict(pd.read_csv(rows_file), thread_count=THREADS)
    pd.DataFrame({target: answers}).to_parquet(out_file)


if __name__ == "__main__":
    _, way, *told = sys.argv
    fit(*told) if way == "fit" else answer(*told)
