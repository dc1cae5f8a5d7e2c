"""What makes releases."""

from __future__ import annotations
