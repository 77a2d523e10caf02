from __future__ import annotations

import lightgbm
import numpy as np
from dvclive import Live
from dvclive.lgbm import DVCLiveCallback

table = np.random.default_rng(7).normal(size=(60, 3))
labels = (table[:, 0] > 0).astype(int)
train, valid = lightgbm.Dataset(table[:40], labels[:40]), lightgbm.Dataset(table[40:], labels[40:])
settings = {"objective": "binary", "metric": ["auc", "binary_logloss"], "num_threads": 1, "verbose": -1, "seed": 7}
with Live("boosted", report="md") as live:
    lightgbm.train(
        settings,
        train,
        6,
        valid_sets=[train, valid],
        valid_names=["train", "valid"],
        callbacks=[DVCLiveCallback(live)],
    )
callback = DVCLiveCallback(dir="one", save_dvc_exp=False)
lightgbm.train(settings | {"metric": "auc"}, train, 3, valid_sets=[valid], callbacks=[callback])
callback.live.end()
