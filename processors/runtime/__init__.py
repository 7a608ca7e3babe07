"""The shell that all processors share: Kafka, wire format, settings, metrics, health, supervision."""
