"""Alerts: a Studio tells a chat, or any other program, what somebody wants to be told of a run.

``rules`` judges, and knows no clock; ``watch`` looks at what changed; ``keeper`` keeps rules, what was told and what is
still to be sent; ``sender`` sends; ``desk`` is what the HTTP interface asks.
"""
