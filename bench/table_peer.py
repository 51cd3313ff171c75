"""One peer on one table, as its documentation recommends it; prints the log loss, or root mean squared error.

It runs where the peers are installed: `python table_peer.py PEER TRAIN TEST TARGET TASK SECONDS THREADS`.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import numpy as np
import pandas as pd

NETWORKS = ("RealMLP-TD-S", "TabM-D")
Answer = np.ndarray[Any, Any]  # numbers (rows,), or probabilities (rows, classes) in the order of their labels


def prepared(train: pd.DataFrame, test: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Features, target and test features: dates as days, words as categories that the training rows know."""
    features, unseen = train.drop(columns=target), test.drop(columns=target)
    for name in features:
        cells = features[name]
        if pd.api.types.is_datetime64_any_dtype(cells):
            start = pd.Timestamp(0, tz=cells.dt.tz)
            for frame in (features, unseen):
                frame[name] = (frame[name] - start) / pd.Timedelta(days=1)
        elif not pd.api.types.is_numeric_dtype(cells):
            kind = pd.CategoricalDtype(sorted(cells.dropna().astype("string").unique()))
            for frame in (features, unseen):
                frame[name] = frame[name].astype("string").astype(kind)
    return features, train[target], unseen


def words_of(features: pd.DataFrame) -> list[str]:
    """The columns of words."""
    return [name for name in features if isinstance(features[name].dtype, pd.CategoricalDtype)]


def with_word_for_gaps(features: pd.DataFrame) -> pd.DataFrame:
    """Words as text, a gap as a word of its own."""
    filled = features.copy()
    for name in words_of(features):
        filled[name] = features[name].astype("string").fillna("").astype(object)
    return filled


def without_gaps(features: pd.DataFrame, unseen: pd.DataFrame, medians: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """For networks: words as text, and the training rows' median for a number that is missing."""
    return with_word_for_gaps(features).fillna(medians), with_word_for_gaps(unseen).fillna(medians)


def network(peer: str, task: str, threads: int) -> Any:
    """A network of pytabkit, as its documentation has it where log loss is what counts."""
    import pytabkit

    kind = getattr(pytabkit, f"{peer.replace('-', '_')}_{'Regressor' if task == 'regression' else 'Classifier'}")
    told: dict[str, Any] = {"device": "cpu", "n_threads": threads, "random_state": 0}
    if task != "regression":
        told["val_metric_name"] = "cross_entropy"
    if task != "regression" and peer == "RealMLP-TD-S":
        told["use_ls"] = False
    return kind(**told)


def estimator(peer: str, task: str, threads: int) -> Any:
    """The peer with its defaults."""
    number = task == "regression"
    if peer == "HistGradientBoosting":
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        return (HistGradientBoostingRegressor if number else HistGradientBoostingClassifier)(random_state=0)
    if peer == "LightGBM":
        from lightgbm import LGBMClassifier, LGBMRegressor

        return (LGBMRegressor if number else LGBMClassifier)(n_jobs=threads, random_state=0, verbose=-1)
    if peer == "XGBoost":
        from xgboost import XGBClassifier, XGBRegressor

        kind = XGBRegressor if number else XGBClassifier
        return kind(tree_method="hist", enable_categorical=True, n_jobs=threads, random_state=0)
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostRegressor if number else CatBoostClassifier
    return kind(thread_count=threads, random_seed=0, verbose=False, allow_writing_files=False)


def answer(
    peer: str, train: pd.DataFrame, test: pd.DataFrame, target: str, task: str, seconds: float, threads: int
) -> Answer:
    """What the peer says of the test rows."""
    if peer == "AutoGluon":
        from autogluon.tabular import TabularPredictor

        metric = "root_mean_squared_error" if task == "regression" else "log_loss"
        with tempfile.TemporaryDirectory() as folder:
            classes = train[target].nunique()
            kind = task if task == "regression" else "binary" if classes == 2 else "multiclass"
            model = TabularPredictor(target, problem_type=kind, eval_metric=metric, path=folder, verbosity=0)
            model.fit(train, presets="medium_quality", time_limit=seconds, num_cpus=threads)
            given = model.predict(test) if task == "regression" else model.predict_proba(test)
            return np.asarray(given.sort_index(axis=1) if task != "regression" else given)
    features, truth, unseen = prepared(train, test, target)
    if task != "regression":
        truth = pd.Series(pd.Categorical(truth).codes, index=truth.index)
    told = {}
    if peer == "CatBoost":
        told = {"cat_features": words_of(features)}
        features, unseen = with_word_for_gaps(features), with_word_for_gaps(unseen)
    if peer == "HistGradientBoosting":
        for name in words_of(features):
            if len(features[name].cat.categories) > 255:  # more than it takes as categories
                features[name], unseen[name] = features[name].cat.codes, unseen[name].cat.codes
    if peer in NETWORKS:
        told = {"cat_col_names": words_of(features)}
        features, unseen = without_gaps(features, unseen, features.median(numeric_only=True).fillna(0))
        model = network(peer, task, threads)
    else:
        model = estimator(peer, task, threads)
    model.fit(features, truth, **told)
    return np.asarray(model.predict(unseen) if task == "regression" else model.predict_proba(unseen))


def main() -> None:
    """Scores the peer that the command line names."""
    peer, train_file, test_file, target, task, seconds, threads = sys.argv[1:]
    train, test = pd.read_parquet(train_file), pd.read_parquet(test_file)
    given = answer(peer, train, test, target, task, float(seconds), int(threads))
    if task == "regression":
        print(float(np.sqrt(np.mean((given - test[target].to_numpy()) ** 2))))
    else:
        labels = sorted(train[target].unique())
        truth = test[target].map({label: number for number, label in enumerate(labels)}).to_numpy()
        print(float(-np.mean(np.log(np.clip(given[np.arange(len(truth)), truth], 1e-12, 1)))))


if __name__ == "__main__":
    main()
