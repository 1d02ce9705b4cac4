"""The loop that cameras of the demo show."""
