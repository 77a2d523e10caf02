"""Steps that the program sets: forward, over gaps and back.

place = "plain"
"""

from dvclive import Live

with Live() as live:
    for step in (0, 1, 5, 100, 3, 3, 0):
        live.step = step
        live.log_metric("loss", step / 10)
        live.make_summary()
        print(live.step, live.summary)
    live.next_step()
    print(live.step)
    live.log_metric("after", 1)
    live.step = 41
    live.next_step()
    print(live.step)
