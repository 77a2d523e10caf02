"""Names of metrics with more slashes and dots than they need."""

from dvclive import Live

with Live(save_dvc_exp=False) as live:
    for name in ("q//w", "./a", "b/./c", "f///g/./h"):
        live.log_metric(name, 1.0)
    live.next_step()
    live.log_metric("q/w", 2.0)
    print(live.summary)
