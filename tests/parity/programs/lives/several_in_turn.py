"""Several runs in one process, one after the other, in one folder.

ask = ["experiments"]
"""

from dvclive import Live

for lr in (0.1, 0.2, 0.3):
    with Live(exp_name=f"lr-is-{int(lr * 10)}") as live:
        live.log_param("lr", lr)
        for step in range(2):
            live.log_metric("loss", lr / (step + 1))
            live.next_step()
