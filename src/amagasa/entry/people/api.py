"""The door for people: console, REST under /api/, WebSocket, health and metrics, as one ASGI application."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.enums import OpenAPIMediaType
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from amagasa.app.situation import RhythmState, StatusView
from amagasa.entry.people import accounts as api_accounts
from amagasa.entry.people import agreements as api_agreements
from amagasa.entry.people import campaigns as api_campaigns
from amagasa.entry.people import courier as api_courier
from amagasa.entry.people import exports as api_exports
from amagasa.entry.people import findings as api_findings
from amagasa.entry.people import handovers as api_handovers
from amagasa.entry.people import hunts as api_hunts
from amagasa.entry.people import mission as api_mission
from amagasa.entry.people import node as api_node
from amagasa.entry.people import plant as api_plant
from amagasa.entry.people import queue as api_queue
from amagasa.entry.people import records as api_records
from amagasa.entry.people import share as api_share
from amagasa.entry.people import sources as api_sources
from amagasa.entry.people.deps import Console, ConsoleDeps, console_of, threaded
from amagasa.entry.people.live import live
from amagasa.entry.people.security import (
    PUBLIC,
    Asked,
    actor_of,
    add_headers,
    admit,
    on_deep,
    on_http,
    on_known,
    on_unknown,
)
from amagasa.entry.people.static_files import STATIC, files_handler
from amagasa.vocab.errors import AmagasaError

BODY_BYTES: Final = 262_144  # bodies with rules may be larger (share.RULE_BYTES)
VERSION: Final = "1"
_NOWHERE: Final = "/.openapi"


def build_console(deps: ConsoleDeps, *, static: Path = STATIC) -> Litestar:
    """The application. With `deps.local_actor` it asks for no sign-in: only for the node's own socket."""
    console = Console(deps)
    return Litestar(
        route_handlers=[
            healthz,
            readyz,
            metrics,
            openapi,
            live,
            files_handler(static),
            *api_accounts.HANDLERS,
            *api_mission.HANDLERS,
            *api_agreements.HANDLERS,
            *api_handovers.HANDLERS,
            *api_exports.HANDLERS,
            *api_findings.HANDLERS,
            *api_hunts.HANDLERS,
            *api_node.HANDLERS,
            *api_campaigns.HANDLERS,
            *api_courier.HANDLERS,
            *api_plant.HANDLERS,
            *api_queue.HANDLERS,
            *api_records.HANDLERS,
            *api_share.HANDLERS,
            *api_sources.HANDLERS,
        ],
        guards=[admit],
        before_send=[add_headers],
        exception_handlers={
            AmagasaError: on_known,
            HTTPException: on_http,
            RecursionError: on_deep,
            Exception: on_unknown,
        },
        state=State({"console": console, "keeper": console.keeper}),
        request_max_body_size=BODY_BYTES,
        logging_config=None,
        # Served by our own handler: the framework's answers unknown addresses below /api with a page of its own.
        openapi_config=OpenAPIConfig(
            title="Amagasa node", version=VERSION, path=_NOWHERE, render_plugins=[], use_handler_docstrings=True
        ),
    )


@get("/healthz", opt={PUBLIC: True}, sync_to_thread=False, include_in_schema=False)
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/readyz", opt={PUBLIC: True}, include_in_schema=False)
@threaded
def readyz(request: Asked) -> Response[dict[str, str]]:
    """The store answers and the node says it is ready; nothing more is told to strangers."""
    deps = console_of(request).deps
    try:
        with deps.store.read() as reading:
            reading.meta("ready")
        is_ready = deps.is_ready()
    except AmagasaError:
        is_ready = False
    return Response({"status": "ok" if is_ready else "not ok"}, status_code=200 if is_ready else 503)


@get("/api/openapi.json", sync_to_thread=False, include_in_schema=False)
def openapi(request: Asked) -> Response[Any]:
    """The API, in OpenAPI 3.1."""
    return Response(request.app.openapi_schema.to_schema(), media_type=OpenAPIMediaType.OPENAPI_JSON)


@get("/metrics", include_in_schema=False)
@threaded
def metrics(request: Asked) -> Response[bytes]:
    """The status as Prometheus reads it, and whatever the process counts besides."""
    console = console_of(request)
    status = console.situation.status(actor_of(request), console.agreements(), now=console.now())
    text = generate_latest(_registry(status))
    if console.deps.registry is not None:
        text += generate_latest(console.deps.registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _registry(status: StatusView) -> CollectorRegistry:
    registry = CollectorRegistry()
    counts: Mapping[str, Any] = {
        "amagasa_alerts": ("Alerts kept", status.counts.alerts),
        "amagasa_incidents_open": ("Open incidents", status.counts.incidents_open),
        "amagasa_crossings_wanting": ("Objects that wait for a release officer", status.counts.wanting),
        "amagasa_content_faulted": ("Rules and indicators that cannot run", status.counts.content_faulted),
    }
    for name, (words, value) in counts.items():
        Gauge(name, words, registry=registry).set(value)
    records = Gauge("amagasa_source_records", "Records read, by outcome", ["source", "outcome"], registry=registry)
    lag = Gauge("amagasa_source_lag_seconds", "Age of the newest record", ["source"], registry=registry)
    unread = Gauge("amagasa_source_unread_bytes", "Bytes that wait to be read", ["source"], registry=registry)
    behind = Gauge("amagasa_source_behind_messages", "Messages that wait at its broker", ["source"], registry=registry)
    kept = Gauge("amagasa_source_rejects_kept", "Rejects that can be read again", ["source"], registry=registry)
    silent = Gauge("amagasa_source_silent", "1 where it fell silent against its rhythm", ["source"], registry=registry)
    faulty = Gauge("amagasa_source_faulty", "1 where it cannot be read", ["source"], registry=registry)
    ahead = Gauge("amagasa_source_clock_ahead_seconds", "How far its clock is ahead", ["source"], registry=registry)
    lost = Gauge("amagasa_source_lost_packets", "Packets that a capture dropped", ["source"], registry=registry)
    gone = Gauge("amagasa_source_lost_bytes", "Bytes unread for want of room", ["source"], registry=registry)
    for source in status.sources:
        lost.labels(source.name).set(source.n_lost)
        gone.labels(source.name).set(source.n_lost_bytes)
        unread.labels(source.name).set(source.lag_bytes)
        behind.labels(source.name).set(source.n_behind)
        kept.labels(source.name).set(source.n_rejects_kept)
        silent.labels(source.name).set(source.rhythm is RhythmState.SILENT)
        faulty.labels(source.name).set(bool(source.fault))
        if source.clock_ahead_s is not None:
            ahead.labels(source.name).set(source.clock_ahead_s)
        records.labels(source.name, "accepted").set(source.n_accepted)
        records.labels(source.name, "rejected").set(source.n_rejected)
        if source.lag_s is not None:
            lag.labels(source.name).set(source.lag_s)
    waiting = Gauge("amagasa_ally_waiting", "Objects not yet delivered", ["ally", "state"], registry=registry)
    for ally in status.allies:
        waiting.labels(ally.ally.name, ally.link.state.value).set(ally.link.n_waiting)
    return registry
