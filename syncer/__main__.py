"""`python -m syncer`."""

from __future__ import annotations

from syncer.app.cli import main

main()
