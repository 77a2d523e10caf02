from __future__ import annotations

import warnings

import numpy as np
import xgboost
from dvclive.xgb import DVCLiveCallback

table = np.random.default_rng(7).normal(size=(60, 3))
labels = (table[:, 0] > 0).astype(int)
train, valid = xgboost.DMatrix(table[:40], labels[:40]), xgboost.DMatrix(table[40:], labels[40:])
settings = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "nthread": 1, "seed": 7}
evals = [(train, "train"), (valid, "eval")]
xgboost.train(settings, train, 5, evals=evals, verbose_eval=False, callbacks=[DVCLiveCallback(report="html")])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    callback = DVCLiveCallback("train", dir="one", save_dvc_exp=False)
print("=", [str(one.message) for one in caught if one.category is DeprecationWarning])
xgboost.train(settings, train, 3, evals=evals, verbose_eval=False, callbacks=[callback])
