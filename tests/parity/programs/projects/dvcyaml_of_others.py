"""A dvc.yaml with stages, comments and entries of others: ours are merged into it.

ask = ["metrics", "plots"]
"""

from pathlib import Path

from dvclive import Live

Path("prepare.txt").write_text("1")
Path("other.json").write_text('{"a": 1}\n')
Path("other.yaml").write_text("p: 1\n")
Path("dvc.yaml").write_text("""\
# our pipeline
stages:
  prepare:
    cmd: cat prepare.txt   # a comment
    deps:
    - prepare.txt
vars:
- v: 1

params:
- other.yaml  # theirs
- dvclive/params.yaml
metrics:
- other.json
- dvclive/gone.json
plots:
- other.json: {x: a, y: b}
- dvclive/plots/old
- "quoted":
    y:
      other.json: a
- dvclive/plots/custom/old.json:
    x: a
artifacts:
  theirs:
    path: other.json
    desc: |
      of two
      lines
  ours_from_before:
    path: dvclive/artifacts/model
""")
with Live() as live:
    live.log_metric("loss", 1)
    live.log_plot("curve", [{"x": 1, "y": 2}], x="x", y="y")
    live.log_artifact("other.json", name="mine", desc="text", cache=False)
    live.next_step()
    print(Path("dvc.yaml").read_text())
    live.log_param("lr", 0.1)
    live.next_step()
