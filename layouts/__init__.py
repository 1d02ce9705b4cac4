"""Seen: pages and components of the wall, the desk and the phone."""
