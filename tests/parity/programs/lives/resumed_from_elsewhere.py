"""resume=True on what another program left: other keys, rows, a step, parameters.

place = "plain"
"""

import json
from pathlib import Path

from dvclive import Live

Path("dvclive/plots/metrics").mkdir(parents=True)
Path("dvclive/plots/metrics/loss.tsv").write_text("step\tloss\n0\t1.0\n1\t0.5\n")
Path("dvclive/metrics.json").write_text(json.dumps({"loss": 0.5, "step": 1, "foreign": [1]}))
Path("dvclive/params.yaml").write_text("# mine\nlr: 0.1  # rate\nnet:\n- 1\n")

with Live(resume=True) as live:
    print(live.step, live.summary)
    live.log_metric("loss", 0.25)
    live.next_step()
    live.log_param("new", 1)
