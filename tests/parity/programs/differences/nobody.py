"""A repository whose Git knows neither a name nor an address of who commits, and a file that has changed.

row = "No Git identity"
place = "nobody's project"
differs = [".dvc/tmp/exps/run/DVCLIVE_STEP_COMPLETED"]

[dvclive]
says = ""
exit = 1
warns = []

[livestream]
says = '''
ended
'''
exit = 0
warns = ["WARNING:Error in save_dvc_exp: Git user name and email must be configured"]
"""

from pathlib import Path

from dvclive import Live

Path(".gitignore").write_text("*.log\n*.tmp\n")
with Live(exp_name="named") as live:
    live.log_metric("loss", 1)
    live.next_step()
print("ended")
