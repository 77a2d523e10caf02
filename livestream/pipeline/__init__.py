"""What happens to events between the spool and the wire, as functions of values.

``coalesce`` makes updates of events, ``chunk`` makes requests of updates, ``encode`` turns pixels and values into what
JSON can carry, ``decide`` says what an answer means for the data. Nothing here knows a clock, a socket or a database.
The modules are imported by their own names: the training side needs ``encode`` and must not pay for the others.
"""
