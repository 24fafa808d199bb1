"""Asking a server's operations, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["get", "metrics", "ready"]


def _get(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return response.status, response.read().decode(), response.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers["Content-Type"]


async def get(url: str) -> tuple[int, str, str]:
    """Status, text and type of a page."""
    return await asyncio.to_thread(_get, url)


async def ready(url: str) -> tuple[int, dict[str, Any]]:
    """What is said of readiness, at the address of the operations."""
    status, text, _ = await get(f"{url}/ready")
    return status, json.loads(text)


async def metrics(url: str) -> dict[str, float]:
    """Each figure by its name, with its labels."""
    status, text, _ = await get(f"{url}/metrics")
    assert status == 200, text
    return {
        sample.name + "".join(f",{key}={value}" for key, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
