"""The open, self-hosted Studio: what DVC's clients post to, kept, judged and shown.

One process, one folder. A post takes this way:

    http.live      reads the request: token, size, encoding
    wire           bytes -> `Update`, or a problem with the path of the bad field        (pure)
    ingest         groups updates; one thread writes, many updates a transaction; large bodies are logged first
    store          the only home of SQL; rows are keyed, so that a repeat changes nothing
    broker         what has changed -> the pages that are open

and everything that is shown is derived from what is stored: `status` says how a run is doing from facts and the clock.
Nothing here knows the spool, the pipeline or the sinks: a Studio shares with a client only what travels between them.
"""
