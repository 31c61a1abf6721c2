"""Categories replaced by what the target was on average."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.families.encoding import Codes, encode
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


@lowers("sklearn.preprocessing.TargetEncoder", params="categories target_type smooth cv shuffle random_state")
class TargetEncoderLowering(Lowering):
    """One number a column, or one a column and class; the target's mean for what wasn't seen."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        means = np.atleast_1d(model.target_mean_)
        columns = [
            Codes(model.categories_[place // len(means)], encoding.tolist(), float(means[place % len(means)]))
            for place, encoding in enumerate(model.encodings_)
        ]
        if len(means) > 1:
            x = c.pick(x, np.repeat(np.arange(x.width), len(means)).tolist())
        return encode(c, model, x, "categories.lookup", columns, len(columns))
