"""The way of updates into the store: safe first, then applied, in order, by one thread.

log        large bodies as files that are safe and not applied yet
intake     one body while it comes: in memory while it is small, in a file of the log once it is not
thread     the one thread that writes: groups of small updates, between them slices of large bodies
ingest     `Ingest`: what the server's handlers call

Small bodies are answered when they are committed; what waits meanwhile goes into the next transaction together, so a
commit (a wait for the disk) is shared by as many as come in its time. Large ones are answered when their file is safe.
Order holds within an experiment: while a large body of it waits, its small bodies are logged behind it.
"""
