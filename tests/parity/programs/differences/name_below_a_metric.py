"""A metric "a" and then a metric "a/b": the summary has one place for both.

row = "A metric `a` and then `a/b`"
place = "plain"
differs = ["dvclive/metrics.json", "dvclive/plots/metrics/a/*", "dvclive/plots/metrics/c.tsv"]

[dvclive]
says = '''
a/b - AttributeError - 'float' object has no attribute 'copy'
{'a': 1.0, 'c': 1.0}
'''

[livestream]
says = '''
a/b - InvalidNameError - 'a' is a metric already, so nothing can be below it
c - InvalidNameError - there are metrics below 'c' already, so it cannot be one
{'a': 1.0, 'c': {'d': 1.0}}
'''
"""

from dvclive import Live

with Live() as live:
    for name in ("a", "a/b", "c/d", "c"):
        try:
            live.log_metric(name, 1.0)
        except Exception as error:
            print(name, "-", type(error).__name__, "-", error)
    print(live.summary)
