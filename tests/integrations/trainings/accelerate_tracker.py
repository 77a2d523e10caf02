from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.utils import is_dvclive_available

torch.set_num_threads(1)
torch.manual_seed(7)
print("=", is_dvclive_available())
accelerator = Accelerator(log_with="dvclive", cpu=True)
accelerator.init_trackers("project", {"lr": 0.1, "name": "line"}, {"dvclive": {"dir": "tracked", "report": "html"}})
model = torch.nn.Linear(2, 1)
model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
for step in range(4):
    loss = model(torch.ones(3, 2)).pow(2).mean()
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    accelerator.log({"train/loss": loss.item(), "phase": f"p{step}", "refused": loss}, step=step * 10)
accelerator.log({"last": 1}, log_kwargs={"dvclive": {"plot": False}})
print("=", accelerator.get_tracker("dvclive", unwrap=True).step)
accelerator.end_training()
