"""Where a Studio keeps what came: a protocol, and one folder an engine with all of its SQL."""
