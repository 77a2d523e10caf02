"""The second of two ranks, which both make a Live of the same folder.

row = "Several ranks, one folder"
place = "plain"
environ = {RANK = "1", WORLD_SIZE = "2"}
differs = ["dvc.yaml", "dvclive/metrics.json", "dvclive/plots/metrics/loss.tsv", "dvclive/plots/metrics/of_rank_one.tsv"]

[dvclive]
says = '''
1 {'of_rank_one': 1, 'step': 0}
False
'''
warns = []

[livestream]
says = '''
1 {'of_rank_one': 1, 'step': 0}
True
'''
warns = [
    "WARNING:livestream.rank_is_quiet"
]
"""

from pathlib import Path

from dvclive import Live

rows = Path("dvclive/plots/metrics/loss.tsv")  # what rank 0 has written
rows.parent.mkdir(parents=True)
rows.write_text("step\tloss\n0\t0.5\n")
with Live(save_dvc_exp=False) as live:
    live.log_metric("of_rank_one", 1)
    live.next_step()
    print(live.step, live.summary)
print(rows.exists())
