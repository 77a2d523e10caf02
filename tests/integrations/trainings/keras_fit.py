from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from dvclive import Live
from dvclive.keras import DVCLiveCallback

keras.utils.set_random_seed(7)
rows = np.linspace(0, 1, 32).reshape(16, 2)
labels = (rows.sum(axis=1) > 1).astype("float32")
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
model.fit(rows, labels, epochs=3, validation_split=0.25, verbose=0, callbacks=[DVCLiveCallback(save_dvc_exp=False)])
with Live("again", save_dvc_exp=False) as live:
    model.fit(rows, labels, epochs=2, verbose=0, callbacks=[DVCLiveCallback(live=live)])
    live.log_metric("test", 1)
