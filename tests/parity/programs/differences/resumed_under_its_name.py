"""A saved run that resumes: which experiment it is.

row = "Resume goes on with the same experiment"
times = 2
differs = ["git:ref*"]

[dvclive]
says = '''
1 experiments
2 experiments
'''

[livestream]
says = '''
1 experiments
1 experiments
'''
"""

import subprocess

from dvclive import Live

with Live(resume=True) as live:
    live.log_metric("loss", live.step)
    live.next_step()
    live.log_metric("loss", live.step)
    live.next_step()
saved = subprocess.run(["git", "for-each-ref", "refs/exps"], capture_output=True, check=True).stdout
print(len([line for line in saved.splitlines() if b"/exec/" not in line]), "experiments")
