"""The server's surface: routes as values, handlers that translate between requests and the rest of the Studio."""
