"""Every port in memory, for tests and for trying syncer out: the same behaviour, and nothing survives."""
