"""More metrics than a process may have files open for one run.

place = "plain"
bound_s = 90
"""

from dvclive import Live

with Live(dvcyaml=None) as live:
    for step in range(2):
        for number in range(400):
            live.log_metric(f"group{number % 7}/metric{number}", number + step / 10)
        live.next_step()
