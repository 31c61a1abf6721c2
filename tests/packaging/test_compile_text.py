"""Vectorizers count the tokens that scikit-learn counts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.utils import murmurhash3_32

from lightship.compile import UnsupportedModelError
from lightship_runtime.program.ops.text import murmur3

WORDS = ["the", "Cat", "naïve", "Ångström", "straße", "東京", "don't", "a", "x1", "über-cool", "run", "🙂", "İstanbul"]
WORDS += ["e\u0301te", "tab\t", "new\nline", "42", "_under_", "\ufb01ne"]
FIRST_LETTER = r"(?u)\b(\w)\w*"


def documents(seed: int = 0, count: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(count)]
    return pd.DataFrame({"text": [*texts, "", "nothing  of it"]})


def target(frame: pd.DataFrame) -> Any:
    return np.array([i % 3 == 0 or "Cat" in text for i, text in enumerate(frame["text"])])


VECTORIZERS = [
    CountVectorizer(),
    CountVectorizer(ngram_range=(1, 3), binary=True),
    CountVectorizer(ngram_range=(2, 2), lowercase=False),
    CountVectorizer(analyzer="char", ngram_range=(1, 3)),
    CountVectorizer(analyzer="char_wb", ngram_range=(2, 7), strip_accents="ascii"),
    CountVectorizer(stop_words="english", strip_accents="unicode"),
    CountVectorizer(token_pattern=FIRST_LETTER, stop_words=["c"]),
    CountVectorizer(vocabulary=["cat", "run", "42"]),
    TfidfVectorizer(),
    TfidfVectorizer(sublinear_tf=True, norm="l1", max_features=7),
    TfidfVectorizer(use_idf=False, norm=None),
    TfidfVectorizer(smooth_idf=False, min_df=3),
    HashingVectorizer(n_features=64),
    HashingVectorizer(n_features=8, binary=True, norm=None),
    HashingVectorizer(n_features=2**10, alternate_sign=False, norm="l1", ngram_range=(1, 2)),
    make_pipeline(CountVectorizer(), TfidfTransformer()),
]


@pytest.mark.parametrize("vectorizer", VECTORIZERS, ids=lambda each: repr(each).replace("\n", ""))
def test_vectorizers(reproduces: Any, vectorizer: Any) -> None:
    frame = documents()
    reproduces(make_pipeline(vectorizer, LogisticRegression()).fit(frame["text"], target(frame)), frame)


@pytest.mark.parametrize(
    "model", [MultinomialNB(), ComplementNB(), BernoulliNB(), RandomForestClassifier(5, random_state=0)], ids=repr
)
def test_models_of_counts(reproduces: Any, model: Any) -> None:
    frame = documents(1)
    reproduces(make_pipeline(TfidfVectorizer(), model).fit(frame["text"], target(frame)), frame)


@pytest.mark.parametrize("scaler", [MaxAbsScaler(), StandardScaler(with_mean=False)], ids=repr)
def test_scaled_counts(reproduces: Any, scaler: Any) -> None:
    frame = documents(2)
    model = make_pipeline(TfidfVectorizer(), scaler, LogisticRegression())
    reproduces(model.fit(frame["text"], target(frame)), frame)


@pytest.mark.parametrize("threshold", [0, 0.3, 1])
def test_text_beside_numbers(reproduces: Any, threshold: float) -> None:
    frame = documents(3).assign(x=np.linspace(-2, 2, 122))
    join = make_column_transformer((TfidfVectorizer(), "text"), (StandardScaler(), ["x"]), sparse_threshold=threshold)
    reproduces(make_pipeline(join, LogisticRegression()).fit(frame, target(frame)), frame)


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=40), min_size=2, max_size=8), analyzer=st.sampled_from(["word", "char_wb"]))
def test_any_text(reproduces: Any, texts: list[str], analyzer: str) -> None:
    frame = pd.DataFrame({"text": [*texts, "ab cd"]})
    vectorizer = HashingVectorizer(n_features=32, analyzer=analyzer, ngram_range=(1, 2), strip_accents="unicode")
    model = make_pipeline(vectorizer, LogisticRegression())
    reproduces(model.fit(frame["text"], np.arange(len(frame)) % 2), frame)


@given(data=st.binary(max_size=40))
@settings(derandomize=True)
def test_the_hash(data: bytes) -> None:
    assert murmur3(data) == murmurhash3_32(data, seed=0)


@pytest.mark.parametrize(
    "vectorizer",
    [
        CountVectorizer(tokenizer=str.split, token_pattern=None),
        CountVectorizer(preprocessor=str.upper),
        CountVectorizer(analyzer=str.split),
        CountVectorizer(strip_accents=str.upper),
        TfidfVectorizer(dtype=np.float32),
    ],
    ids=["tokenizer", "preprocessor", "analyzer", "accents", "float32"],
)
def test_functions_of_ones_own_are_refused(reproduces: Any, vectorizer: Any) -> None:
    frame = documents(4, 20)
    with pytest.raises(UnsupportedModelError, match="Vectorizer"):
        reproduces(make_pipeline(vectorizer, LogisticRegression()).fit(frame["text"], target(frame)), frame)
