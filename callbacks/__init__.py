"""React: browser event to command or question to picture; HTTP and live endpoints."""
