"""Real services on a Debian machine without Docker: Kafka (KRaft), TimescaleDB and two Redis servers.

`python -m deploy.bare up` installs what is missing (as root), starts everything on loopback ports, waits until
each one answers and prints the environment for the product and for its tests. For development, CI and kill
drills; a city runs these services by its own means and only sets CHENGYUN_DSN, CHENGYUN_BUS, CHENGYUN_LIVE_URL.
"""
