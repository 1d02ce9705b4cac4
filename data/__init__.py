"""Rest: SQL, migrations, live state, sample city, imports and exports."""
