"""The API's files for other tools: STIX, MISP, CSV, lists, layers of the ATT&CK Navigator."""

from typing import Annotated
from urllib.parse import quote

from litestar import Response, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter

from amagasa.app.exporting import Exported, Form, Voice, export_campaign, export_content, export_incident
from amagasa.entry.people.deps import Console, console_of, threaded
from amagasa.entry.people.security import Asked, actor_of

Wanted = Annotated[Form, QueryParameter(name="format", description="Kind of file.")]


@get("/api/incidents/{incident_id:str}/export", tags=["queue"])
@threaded
def incident_file(request: Asked, incident_id: FromPath[str], form: Wanted = Form.STIX) -> Response[bytes]:
    """An incident and what its alerts say, as a file."""
    console = console_of(request)
    return _file(export_incident(console.deps.store, actor_of(request), incident_id, form=form, voice=_voice(console)))


@get("/api/campaigns/{campaign_id:str}/export", tags=["queue"])
@threaded
def campaign_file(request: Asked, campaign_id: FromPath[str], form: Wanted = Form.STIX) -> Response[bytes]:
    """A campaign across parties, as a file."""
    console = console_of(request)
    voice, names = _voice(console), console.names()
    actor = actor_of(request)
    return _file(export_campaign(console.deps.store, actor, campaign_id, form=form, voice=voice, names=names))


@get("/api/content/export", tags=["content"])
@threaded
def content_file(request: Asked, form: Wanted = Form.STIX) -> Response[bytes]:
    """Rules and indicators, as a file."""
    console = console_of(request)
    return _file(export_content(console.deps.store, actor_of(request), form=form, voice=_voice(console)))


HANDLERS: tuple[BaseRouteHandler, ...] = (incident_file, campaign_file, content_file)


def _voice(console: Console) -> Voice:
    return Voice(party=console.deps.party, marking=console.deps.sharing.marking, now=console.now())


def _file(made: Exported) -> Response[bytes]:
    headers = {"Content-Disposition": f'attachment; filename="{made.file_name}"', "X-Content-Type-Options": "nosniff"}
    if made.note:
        headers["Amagasa-Note"] = quote(made.note, safe=" ,:;()")
    return Response(made.content, media_type=made.media_type, headers=headers)
