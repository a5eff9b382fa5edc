"""The API's files for other tools: STIX, MISP, CSV, lists, layers of the ATT&CK Navigator."""

from typing import Annotated
from urllib.parse import quote

from litestar import Response, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from amagasa.app.export_gathering import ALL_CONTENT
from amagasa.app.exporting import ExportAsked, Exported
from amagasa.brief.forms import Form
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.security import Asked, actor_of

Wanted = Annotated[Form, QueryParameter(name="format", description="Kind of file.")]
NOTED = 3


@get("/api/incidents/{incident_id:str}/export", tags=["queue"])
@threaded
def incident_file(request: Asked, incident_id: FromPath[str], form: Wanted = Form.STIX) -> Response[bytes]:
    """An incident and what its alerts say, as a file."""
    return _file(_exported(request, ExportAsked(what=incident_id, form=form)))


@get("/api/campaigns/{campaign_id:str}/export", tags=["queue"])
@threaded
def campaign_file(request: Asked, campaign_id: FromPath[str], form: Wanted = Form.STIX) -> Response[bytes]:
    """A campaign across parties, as a file."""
    return _file(_exported(request, ExportAsked(what=campaign_id, form=form)))


@get("/api/agreements/{agreement_id:str}/export", tags=["share"])
@threaded
def agreement_file(request: Asked, agreement_id: FromPath[str], form: Wanted = Form.STIX) -> Response[bytes]:
    """What crossed under an agreement, in both directions, as a file."""
    return _file(_exported(request, ExportAsked(what=agreement_id, form=form)))


@get("/api/content/export", tags=["content"])
@threaded
def content_file(request: Asked, form: Wanted = Form.STIX) -> Response[bytes]:
    """Rules and indicators, as a file."""
    return _file(_exported(request, ExportAsked(what=ALL_CONTENT, form=form)))


@post("/api/exports", status_code=200, tags=["share"])
@threaded
def export(request: Asked, data: JSONBody[ExportAsked]) -> Exported:
    """Anything as a file, with what of it is not in there and why; for an ally a release of what may leave."""
    return _exported(request, data)


HANDLERS: tuple[BaseRouteHandler, ...] = (incident_file, campaign_file, agreement_file, content_file, export)


def _exported(request: Asked, asked: ExportAsked) -> Exported:
    console = console_of(request)
    return console.deps.sharing.export(actor_of(request), asked, files=console.deps.files, now=console.now())


def _file(made: Exported) -> Response[bytes]:
    headers = {"Content-Disposition": f'attachment; filename="{made.file}"', "X-Content-Type-Options": "nosniff"}
    if made.n_left_out:
        first = "; ".join(f"{one.object_id}: {one.why}" for one in made.left_out[:NOTED])
        headers["Amagasa-Note"] = quote(f"{made.n_left_out} left out: {first}", safe=" ,:;()")
    return Response(made.text.encode("utf-8", "replace"), media_type=made.media_type, headers=headers)
