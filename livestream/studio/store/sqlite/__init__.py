"""The store on SQLite: one file in WAL mode, one connection that writes, others that read."""
