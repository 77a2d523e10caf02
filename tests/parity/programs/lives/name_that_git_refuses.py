"""exp_name that cannot be a reference of Git: said, and a random one instead."""

from dvclive import Live

for name in ("with space", "with/slash", "dots..dots", "tilde~"):
    with Live(exp_name=name) as live:
        live.log_metric("loss", 1)
