from __future__ import annotations

from argparse import Namespace

import torch
from dvclive.fabric import DVCLiveLogger
from lightning.fabric import Fabric

torch.set_num_threads(1)
torch.manual_seed(7)
logger = DVCLiveLogger("first", dir="fabric", save_dvc_exp=False)
fabric = Fabric(accelerator="cpu", loggers=logger)
fabric.launch()
model = torch.nn.Linear(3, 1)
model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=0.1))
logger.log_hyperparams(
    {"lr": 0.1, "weights": torch.ones(2, 2), "nested": Namespace(a=1), "call": torch.nn.ReLU, "none": None}
)
for step in range(5):
    loss = model(torch.ones(2, 3)).pow(2).mean()
    fabric.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    fabric.log_dict({"train_loss_epoch": loss, "val_deep_loss": float(loss) / 2, "epoch": step}, step=step)
fabric.log("last", 1.0)
try:
    logger.log_metrics({"list": [1, 2]})
except ValueError as error:
    print("=", type(error).__name__, "not supported" in str(error))
logger.finalize("success")
