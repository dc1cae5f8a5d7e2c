"""What syncer tells Prometheus."""
