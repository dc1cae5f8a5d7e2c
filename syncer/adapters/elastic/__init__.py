"""Elasticsearch: where documents are written and searched. The only importer of its client."""
