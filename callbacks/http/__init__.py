"""HTTP endpoints: tiles, live stream, REST."""
