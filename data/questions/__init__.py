"""Queries of `incidents.commands.QUERIES` on the store; ANSWERS of each module joined in `answers.py`."""
