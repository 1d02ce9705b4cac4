"""The bus on Redis Streams (embedded profile)."""
