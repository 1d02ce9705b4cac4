"""The bus on Apache Kafka (real services)."""
