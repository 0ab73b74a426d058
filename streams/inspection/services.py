"""Looking at our services over HTTP."""

import asyncio
from collections.abc import Iterator
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from streams.config import Settings
from streams.inspection.seen import ServiceSeen
from streams.telemetry import SPOOL, SpoolState

PATIENCE_S: Final = 5.0
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - where a service listens, not we
"""Where to ask a service that listens on all addresses."""


async def look_at_services(settings: Settings) -> list[ServiceSeen]:
    """Every service whose address the settings tell."""
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
        return await asyncio.gather(*(look(client, name, url) for name, url in _addresses(settings)))


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    worker = settings.worker
    for name, host, port in (
        ("gateway", settings.gateway.host, settings.gateway.port),
        ("exporter", settings.exporter.host, settings.exporter.port),
        ("normaliser", worker.host, worker.normaliser_port),
        ("processor", worker.host, worker.processor_port),
    ):
        if port:
            yield name, f"http://{EVERYWHERE.get(host, f'[{host}]' if ':' in host else host)}:{port}"


async def look(client: httpx.AsyncClient, name: str, url: str) -> ServiceSeen:
    """What one service says that listens at a URL; of a gateway its spool, too."""
    try:
        answer = await client.get(f"{url}/readyz")
        metrics = await client.get(f"{url}/metrics") if name == "gateway" else None
    except httpx.HTTPError as error:
        return ServiceSeen(name, url, fault=str(error) or type(error).__name__)
    return ServiceSeen(name, url, answer.is_success, _told(answer), spool=_spool(metrics.text) if metrics else None)


def _told(answer: httpx.Response) -> str:
    """What an answer says: the text of one of our errors, or its first line."""
    try:
        fault = answer.json()
        return f"{fault['where']}: {fault['what']}"
    except (ValueError, KeyError, TypeError):
        return answer.text.partition("\n")[0][:200]


def _spool(page: str) -> SpoolState | None:
    """What a gateway's /metrics tell of its spool; nothing if it has none, or that is no page of ours."""
    try:
        samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
        told = {sample.name.removeprefix(f"{SPOOL}_"): sample.value for sample in samples if sample.name.startswith(SPOOL)}
        deliveries, used, limit, room = (int(told[name]) for name in ("deliveries", "bytes", "limit_bytes", "room_bytes"))
    except (ValueError, KeyError):
        return None
    return SpoolState(deliveries, used, limit, room, told.get("oldest_receipt_timestamp_seconds"))
