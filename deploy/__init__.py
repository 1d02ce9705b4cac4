"""Run: embedded servers, the process supervisor, real services on a bare machine."""
