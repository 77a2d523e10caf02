"""What Live says of itself.

place = "plain"
"""

from dvclive import Live

for options in (
    {},
    {"dir": "out/run"},
    {"report": "html"},
    {"report": "md"},
    {"dvcyaml": "sub/dvc.yaml"},
    {"dvcyaml": None},
):
    live = Live(**options)
    print(options, live.dir, live.params_file, live.metrics_file, live.dvc_file, live.plots_dir, live.artifacts_dir)
    print(live.report_file, live.step, live.summary, live.read_step(), live.read_latest())
    live.log_metric("loss", 1)
    live.next_step()
    print(live.step, live.summary, live.read_step(), live.read_latest())
    live.end()
    print(live.step)
