"""The operator's desk: list, map, detail, intake, records. Static parts here, answers made by `detail` and `lists`."""
