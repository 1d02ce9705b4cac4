"""Move: messages, transports, consumer loop, feeds."""
