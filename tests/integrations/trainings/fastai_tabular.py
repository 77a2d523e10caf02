from __future__ import annotations

import pandas as pd
import torch
from dvclive.fastai import DVCLiveCallback
from fastai.callback.tracker import SaveModelCallback
from fastai.tabular.all import Categorify, Normalize, TabularDataLoaders, accuracy, set_seed, tabular_learner

torch.set_num_threads(1)
set_seed(7, reproducible=True)
table = pd.DataFrame({"a": [1, 2, 3, 4] * 8, "b": [0.5, 0.1, 0.7, 0.3] * 8, "y": ["p", "q", "p", "q"] * 8})
loaders = TabularDataLoaders.from_df(
    table,
    y_names="y",
    cat_names=["a"],
    cont_names=["b"],
    procs=[Categorify, Normalize],
    valid_idx=[0, 1, 2, 3],
    bs=8,
    device="cpu",
)
learner = tabular_learner(loaders, metrics=accuracy, layers=[8, 4])
with learner.no_bar(), learner.no_logging():
    learner.lr_find(suggest_funcs=(), show_plot=False)
    learner.fit_one_cycle(2, cbs=[DVCLiveCallback(dir="cycle", save_dvc_exp=False)])
    learner.fine_tune(
        2, freeze_epochs=2, cbs=[SaveModelCallback(fname="tuned"), DVCLiveCallback(dir="tuned", save_dvc_exp=False)]
    )
    learner.get_preds()
