"""A city's own file for `bench routing --data`: read as `app.py router train` reads it."""

from data.ticket_files import COLUMNS, BadFile, degrees, moment, read

__all__ = ["COLUMNS", "BadFile", "degrees", "moment", "read"]
