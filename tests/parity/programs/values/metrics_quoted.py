"""Texts and names that the csv module has to quote.

place = "plain"
"""

from dvclive import Live

with Live() as live:
    for text in ("plain", "a\tb", 'say "hi"', "two\nlines", "carriage\rreturn", "comma, here", " spaces ", "ünï ☃"):
        live.log_metric("text", text)
        live.next_step()
    live.log_metric('name "quoted"', 1)
    live.log_metric("ünïcode/☃", 3)
    live.log_metric("with space", 4)
    live.log_metric("dots.in.name", 5)
    live.log_metric("usage (%)", 6)
