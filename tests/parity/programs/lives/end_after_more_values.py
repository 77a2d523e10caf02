"""Values after the last next_step: the summary keeps the step that ended."""

from dvclive import Live

with Live() as live:
    for step in range(2):
        live.log_metric("loss", step)
        live.next_step()
    live.log_metric("test/accuracy", 0.9)
    live.summary["note"] = "final"
print(live.step, live.summary)
