"""What the settings say, and our own services over HTTP."""

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from ipaddress import ip_address
from typing import Final

from models.errors import LeadbeatError
from models.rules import Rules
from models.units import SECOND, Millis, isoformat
from streams.config import Settings
from streams.inspection.findings import Finding, fail, ok, warn
from streams.inspection.seen import ServiceSeen
from streams.telemetry import SpoolState

SCARCE: Final = 0.2
"""The share of its limit below which a spool has little room left, as the alert LeadbeatSpoolNearlyFull has it."""

MIB: Final = 2**20


def of_mistakes(fault: LeadbeatError) -> Iterator[Finding]:
    """Settings that cannot be used: each mistake by itself."""
    _, *mistakes = fault.what.split("\n") if "\n" in fault.what else ["", fault.what]
    for mistake in mistakes:
        yield fail(fault.where, mistake.strip(), fault.todo)


def of_settings(settings: Settings, rules: Rules) -> Iterator[Finding]:
    """Settings that can be used, though they, or the rules in force, may say less than they should."""
    yield ok("version", f"leadbeat {version('leadbeat')} on Python {platform.python_version()}")
    told = f"connections: {len(settings.connections)}, reps: {len({entry.rep for entry in rules.roster})}"
    yield ok("configuration", f"valid ({told}, SLA policies: {len(rules.sla)}, zone {rules.zone})")
    if not settings.connections:
        yield warn("configuration", "no connection: no CRM can deliver", "add one for each: [[connections]]")
    if not rules.roster:
        yield warn("configuration", "no roster: every rep counts as other", "name the reps and their teams: [[roster]]")
    if not rules.sla:
        yield warn("configuration", "no SLA: no lead is ever overdue, and nobody is warned", "give a target: [[sla]]")
    if not settings.api_tokens and not _is_loopback(settings.exporter.host):
        what = f"whoever reaches {settings.exporter.host}:{settings.exporter.port} reads all numbers, and who waits"
        yield warn("exporter", what, "let it ask for tokens: `leadbeat token new`, [[api_tokens]]")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def of_services(services: Sequence[ServiceSeen]) -> Iterator[Finding]:
    """Services that should answer where the settings put them."""
    for service in services:
        if service.fault:
            todo = f"start it; if it runs on another machine, ask there, or set {_section(service.name)}.host"
            yield fail(service.name, f"cannot be reached at {service.url}: {service.fault}", todo)
        elif not service.ready:
            yield fail(service.name, f"at {service.url} is not ready: {service.told}", "look into its log")
        else:
            yield ok(service.name, f"is ready at {service.url}")
        if service.spool is not None:
            yield _of_spool(service.name, service.spool)


def _of_spool(gateway: str, spool: SpoolState) -> Finding:
    where, room = f"spool of the {gateway}", f"room for {spool.room / MIB:,.0f} MiB"
    if not spool.deliveries:
        return ok(where, f"empty, {room}")
    since = isoformat(Millis(round((spool.oldest_receipt or 0) * SECOND)))
    what = f"accepted deliveries that wait for Kafka: {spool.deliveries:,}, the oldest since {since}; {room}"
    return (fail if spool.room < SCARCE * spool.limit else warn)(where, what, "see to Kafka: nothing else empties the spool")


def _section(name: str) -> str:
    return name if name in {"gateway", "exporter"} else "worker"
