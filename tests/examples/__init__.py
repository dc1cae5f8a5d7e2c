"""Configurations for schemas like those that pgsync's examples have; docs/pgsync.md leads to them."""
