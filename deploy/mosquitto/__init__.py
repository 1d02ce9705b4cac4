"""Mosquitto in front of the device gateway: its configuration, and a watchman beside it.

`python -m deploy.mosquitto run` runs Mosquitto in the foreground with persistence, a queue bounded in bytes, and
accounts from the files that `app.py gateway` writes. It lets devices in only while the gateway's session exists and
the disk has room; it never drops silently what it could refuse.
"""
