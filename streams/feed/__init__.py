"""Feeds: clients of the product that put messages on its bus, simulated or replayed from recordings.

A feed knows the topics and the envelope and nothing else of the product; nothing in the product knows whether
its data comes from here. Start with `simulate.py` (a plausible day), `replay.py` (real recordings), `cli.py`.
"""
