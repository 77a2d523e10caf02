"""Eight rows, a linear layer: transformers' own callback, by name and with each kind of artifact, and DVCLive's."""

from __future__ import annotations

import torch
from dvclive import Live
from dvclive.huggingface import DVCLiveCallback as DvcliveCallback
from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments, is_dvclive_available, set_seed
from transformers.integrations import DVCLiveCallback

torch.set_num_threads(1)


class Config(PretrainedConfig):
    model_type = "line"


class Line(PreTrainedModel):
    config_class = Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.line = torch.nn.Linear(2, 1)
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.constant_(module.weight, 0.25)

    def forward(self, x, labels=None):
        logits = self.line(x)
        return {"loss": torch.nn.functional.mse_loss(logits, labels), "logits": logits}


DATA = [{"x": torch.tensor([i / 8, 1 - i / 8]), "labels": torch.tensor([i / 4])} for i in range(8)]


def train(folder, report_to=(), callbacks=(), **more):
    set_seed(7)
    arguments = TrainingArguments(
        f"out/{folder}",
        num_train_epochs=2,
        per_device_train_batch_size=2,
        logging_steps=2,
        eval_strategy="epoch",
        save_strategy="epoch",
        use_cpu=True,
        disable_tqdm=True,
        report_to=list(report_to),
        seed=7,
        **more,
    )
    trainer = Trainer(Line(Config()), arguments, train_dataset=DATA, eval_dataset=DATA, callbacks=list(callbacks))
    trainer.train()


print("=", is_dvclive_available())
train("reported", report_to=["dvclive"])
train("last", callbacks=[DVCLiveCallback(live=Live("last", save_dvc_exp=False), log_model=True)])
best = {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
train("best", callbacks=[DVCLiveCallback(live=Live("best", save_dvc_exp=False), log_model=True)], **best)
train("all", callbacks=[DVCLiveCallback(live=Live("all", save_dvc_exp=False), log_model="all")])
with Live("dvclives", save_dvc_exp=False) as live:
    train("dvclives", callbacks=[DvcliveCallback(live=live, log_model="all")])
    live.summary["done"] = 1
