"""The page of tokens: plain forms, whose answers are the page again. A secret is on one of them, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from livestream.studio.auth.base import SCOPES, Token
from livestream.studio.http.addresses import base_url, root_of
from livestream.studio.http.context import services_of
from livestream.studio.http.forms import Form, ago, form_of, span
from livestream.studio.http.markup import Html, html, joined, notice, page
from livestream.studio.http.problems import ProblemError
from livestream.studio.http.routes import Route, id_of
from livestream.studio.http.tokens import NewToken, create, delete, regenerate, revoke_all
from livestream.studio.store.base import Project

_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_EXPIRIES: Final = ((0, "Never"), *((days * _DAY_S, f"In {days} days") for days in (1, 7, 30, 90, 365)))
_OVERLAPS: Final = (
    (0, "dies at once"),
    (_HOUR_S, "lives 1 hour"),
    (_DAY_S, "lives 1 day"),
    (7 * _DAY_S, "lives 7 days"),
)
_SCOPES_SAY: Final = {
    "ingest": "send experiments, as trainings do",
    "read": "see experiments",
    "admin": "everything, tokens too",
}


async def show_tokens(request: web.Request) -> web.Response:
    """Show all tokens."""
    return await _tokens(request, Html(""))


async def make_token(request: web.Request) -> web.Response:
    """Make the token that the form asks for."""
    form = await form_of(request)
    try:
        token, secret = await create(services_of(request), _wanted(form))
    except ProblemError as problem:
        return await _tokens(request, notice("bad", problem.detail), problem.status, form)
    return await _tokens(request, _told_once(request, token, secret, "Made"))


async def renew_token(request: web.Request) -> web.Response:
    """Give a token a new secret."""
    form = await form_of(request)
    try:
        token, secret = regenerate(services_of(request), id_of(request), float(form.number("overlap_s") or 0))
    except ProblemError as problem:
        return await _tokens(request, notice("bad", problem.detail), problem.status)
    return await _tokens(request, _told_once(request, token, secret, "Regenerated"))


async def end_token(request: web.Request) -> web.Response:
    """Delete a token."""
    try:
        delete(services_of(request), id_of(request))
    except ProblemError as problem:
        return await _tokens(request, notice("bad", problem.detail), problem.status)
    return await _tokens(request, notice("good", "Deleted. Its next request gets 401."))


async def end_all_tokens(request: web.Request) -> web.Response:
    """End every token and sign-in, this browser's too."""
    revoked, url = revoke_all(request)
    body = html(
        '<section class="card"><h1>All revoked</h1>{said}<p>This link signs one browser in, once, within a day:</p>'
        '<p class="secret"><code>{url}</code></p><p><a class="button primary" href="{url}">Sign in again</a></p>'
        "</section>",
        said=notice("good", f"{revoked} {'token' if revoked == 1 else 'tokens'} and every sign-in ended."),
        url=url,
    )
    return page(request, "All revoked", body, narrow=True)


def _wanted(form: Form) -> NewToken:
    fields = {
        "name": form.one("name"),
        "scopes": form.every("scope"),
        "project": form.number("project"),
        "expires_in_s": form.number("expires_in_s") or None,
    }
    if not fields["scopes"]:
        raise ProblemError(400, f"scopes: none is ticked; accepted: {', '.join(SCOPES)}")
    try:
        return msgspec.convert(fields, NewToken)
    except msgspec.ValidationError as error:
        raise ProblemError(400, str(error)) from None


async def _tokens(request: web.Request, said: Html, status: int = 200, form: Form | None = None) -> web.Response:
    services = services_of(request)
    projects = await services.readers.ask(lambda reader: reader.projects())
    names = {project.id: project.name for project in projects}
    now_us = services.clock_us()
    body = html(
        '<h1>Tokens</h1><p class="lead">A token is what a training or a program shows to be let in. It is kept as a'
        " hash only, so it can be seen once: when it is made.</p>{said}{table}{new}{end}",
        said=said,
        table=_table(services.keeper.list(), names, now_us, root_of(request)),
        new=_new_form(projects, form or Form({"scope": ["ingest"]}), root_of(request)),
        end=_revoke_form(root_of(request)),
    )
    return page(request, "Tokens", body, status=status)


def _told_once(request: web.Request, token: Token, secret: str, done: str) -> Html:
    hint = Html("")
    if "ingest" in token.scopes:
        hint = html(
            '<p class="hint">A training elsewhere needs</p><pre>export DVC_STUDIO_URL={url}\nexport'
            " DVC_STUDIO_TOKEN={secret}</pre>",
            url=base_url(request),
            secret=secret,
        )
    return html(
        '<section class="card told"><h2>{done}: {name}</h2><p>Copy it now: it is not shown again.</p>'
        '<p class="secret"><code>{secret}</code></p>{hint}</section>',
        done=done,
        name=token.name,
        secret=secret,
        hint=hint,
    )


def _table(tokens: Sequence[Token], projects: dict[int, str], now_us: int, base: str) -> Html:
    if not tokens:
        return html('<p class="empty">There is no token yet.</p>')
    rows = [_row(token, projects, now_us, base) for token in tokens]
    return html(
        '<div class="scroll menus"><table><thead><tr><th>Name</th><th>May</th><th>Secret</th><th>Project</th><th>'
        'Last used</th><th>Expires</th><th><span class="unseen">Change</span></th></tr></thead>'
        "<tbody>{rows}</tbody></table></div>",
        rows=joined(rows),
    )


def _row(token: Token, projects: dict[int, str], now_us: int, base: str) -> Html:
    expired = token.expires_us is not None and token.expires_us <= now_us
    overlap = (
        html('<br><small class="whole">old one for {left}</small>', left=span((token.overlap_until_us - now_us) / 1e6))
        if token.overlap_until_us
        else Html("")
    )
    project = "all" if token.project is None else projects.get(token.project, f"{token.project} (gone)")
    return html(
        "<tr{faded}><td><strong>{name}</strong></td><td>{scopes}</td><td><code>{hint}</code>{overlap}</td>"
        '<td>{project}</td><td class="whole">{used}</td><td class="whole">{expires}</td>'
        '<td class="acts">{renew}{delete}</td></tr>',
        faded=Html(' class="faded"') if expired else "",
        name=token.name,
        scopes=joined([html('<span class="tag">{scope}</span>', scope=scope) for scope in token.scopes]),
        hint=token.hint,
        overlap=overlap,
        project=project,
        used=ago(now_us, token.last_used_us),
        expires=_expires(token, now_us),
        renew=_renew_form(token, base),
        delete=_delete_form(token, base),
    )


def _expires(token: Token, now_us: int) -> str:
    if token.expires_us is None:
        return "never"
    return "expired" if token.expires_us <= now_us else f"in {span((token.expires_us - now_us) / 1e6)}"


def _renew_form(token: Token, base: str) -> Html:
    return html(
        '<details class="menu" name="change"><summary>Regenerate</summary><form method="post" class="stack"'
        ' action="{base}tokens/{id}/regenerate"><label>The old secret<select name="overlap_s">{overlaps}</select>'
        '</label><button class="primary">Regenerate</button></form></details>',
        base=base,
        id=token.id,
        overlaps=_options(_OVERLAPS),
    )


def _delete_form(token: Token, base: str) -> Html:
    return html(
        '<details class="menu" name="change"><summary>Delete</summary><form method="post" class="stack"'
        ' action="{base}tokens/{id}/delete"><p>What uses it is refused from then on.</p>'
        '<button class="danger">Delete {name}</button></form></details>',
        base=base,
        id=token.id,
        name=token.name,
    )


def _new_form(projects: Sequence[Project], form: Form, base: str) -> Html:
    ticked = form.every("scope")
    scopes = [
        html(
            '<label class="tick"><input type="checkbox" name="scope" value="{scope}"{on}><span><strong>{scope}</strong>'
            " {says}</span></label>",
            scope=scope,
            says=_SCOPES_SAY[scope],
            on=Html(" checked") if scope in ticked else "",
        )
        for scope in SCOPES
    ]
    places = ((0, "All projects"), *((project.id, project.name) for project in projects))
    return html(
        '<section class="card"><h2>New token</h2><form method="post" action="{base}tokens" class="grid">'
        '<label>Name<input name="name" required maxlength="100" autocomplete="off" placeholder="cluster-a"'
        ' value="{name}"></label><label>Expires<select name="expires_in_s">{expiries}</select></label>'
        '<label>Project<select name="project">{places}</select></label><fieldset><legend>May</legend>{scopes}'
        '</fieldset><div><button class="primary">Make token</button></div></form></section>',
        base=base,
        name=form.one("name"),
        expiries=_options(_EXPIRIES, form.one("expires_in_s")),
        places=_options(places, form.one("project"), zero=""),
        scopes=joined(scopes),
    )


def _revoke_form(base: str) -> Html:
    return html(
        '<section class="card end"><h2>Revoke everything</h2><p>Ends every token, every sign-in (yours too) and every'
        " login that waits, at once. You get a new link to sign in with.</p>"
        '<details class="menu"><summary>Revoke everything</summary><form method="post" class="stack"'
        ' action="{base}tokens/revoke-all"><p>Trainings keep their data and wait for a new token.</p>'
        '<button class="danger">Yes, revoke everything</button></form></details></section>',
        base=base,
    )


def _options(options: Sequence[tuple[int, str]], chosen: str = "", zero: str = "0") -> Html:
    return joined(
        [
            html(
                '<option value="{value}"{on}>{text}</option>',
                value=value or zero,
                on=Html(" selected") if str(value) == chosen else "",
                text=text,
            )
            for value, text in options
        ]
    )


ROUTES: Final = (
    Route(method="GET", path="/tokens", handler=show_tokens, summary="Show all tokens.", scope="admin", listed=False),
    Route(method="POST", path="/tokens", handler=make_token, summary="Make a token.", scope="admin", listed=False),
    Route(
        method="POST",
        path="/tokens/{id}/regenerate",
        handler=renew_token,
        summary="Give a token a new secret.",
        scope="admin",
        listed=False,
    ),
    Route(
        method="POST",
        path="/tokens/{id}/delete",
        handler=end_token,
        summary="Delete a token.",
        scope="admin",
        listed=False,
    ),
    Route(
        method="POST",
        path="/tokens/revoke-all",
        handler=end_all_tokens,
        summary="End every token and sign-in.",
        scope="admin",
        listed=False,
    ),
)
