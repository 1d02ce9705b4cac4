"""The sample city 临澜市 (Linlan): invented, made by `make_city` from a seed, read by `read_city`."""
