"""The public names of Live.

place = "plain"
"""

from dvclive import Live

live = Live(save_dvc_exp=False)
print(sorted(name for name in {*dir(Live), *vars(live)} if not name.startswith("_")))
