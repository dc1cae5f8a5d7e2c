"""Tests mirror the package; servers for them are in `tests.services`."""
