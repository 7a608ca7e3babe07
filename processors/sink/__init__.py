"""Kafka to ClickHouse, in batches."""
