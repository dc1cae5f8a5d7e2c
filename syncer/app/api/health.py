"""`/healthz`."""

from __future__ import annotations

from fastapi import APIRouter

from syncer.app.api.answer import Answer
from syncer.app.api.gate import HEALTH

router = APIRouter(tags=["health"])


@router.get(HEALTH, response_class=Answer, summary="Whether the process answers")
async def health() -> Answer:
    """Answer, whatever Elasticsearch does: restarting this process would not bring that back."""
    return Answer({"status": "ok"})
