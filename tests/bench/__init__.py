"""Benches: `python app.py bench NAME`. Each module of BENCHES has `run(bench) -> figures` and `GOALS`."""
