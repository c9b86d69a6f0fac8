"""`GET /v1/paper/accounts/{id}/events/` with `Accept: text/event-stream`: everything that happens to an account, as it does.

A message's id is the event's number, which has no gaps and runs on through resets. It begins after `Last-Event-ID`, else
after the parameter `after_seq`, else now.
"""

import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

from accounts.models import PaperAccount
from papertrade.api.kit.errors import STATUS_OF_CODE
from papertrade.api.paper.serializers import EventSerializer
from papertrade.lib.errors import BadRequest, PapertradeError
from papertrade.stream.following import NoLongerAllowed, Permit, follow
from papertrade.stream.identity import ASKER, Asker, Seat, account_of
from papertrade.stream.moves import last_events
from papertrade.stream.sse import Message, header, send_messages, wants_events
from papertrade.web.bridge import Receive, Scope, Send
from papertrade.web.refusals import Refusal
from portfolio.models import AccountEvent

PATH = re.compile(r"/v1/paper/accounts/([^/]+)/events/?")
MAX_NUMBER_LENGTH = 18


def takes(scope: Scope) -> bool:
    """Whether this stream answers the request."""
    return wants_events(scope) and PATH.fullmatch(scope["path"]) is not None


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One stream, from its identification to its end. Raises Refusal."""
    match = PATH.fullmatch(scope["path"])
    assert match is not None, "takes() said so"
    asker: Asker = scope[ASKER]
    try:
        account, after = await asker.look_up(_begin, scope, match[1])
        with Seat(account.user, asker):
            messages = _messages(scope, account, after)
            await send_messages(messages, f"from {after}", receive, send)
    except PapertradeError as refusal:
        raise Refusal(STATUS_OF_CODE.get(refusal.code, 400), refusal.code, refusal.message) from None


def _begin(scope: Scope, account_id: str) -> tuple[PaperAccount, int]:
    account = account_of(scope, account_id)
    after = _after(scope)
    if after is None:
        after = last_events([account.pk]).get(account.pk, 0)
    return account, after


def _after(scope: Scope) -> int | None:
    """The number to go on from; None is now. Raises BadRequest."""
    asked = parse_qs(scope["query_string"].decode("latin-1")).get("after_seq", [""])[-1]
    for name, text in (("Last-Event-ID", header(scope, b"last-event-id").decode("latin-1")), ("after_seq", asked)):
        if text:
            if not text.isascii() or not text.isdigit() or len(text) > MAX_NUMBER_LENGTH:
                raise BadRequest(f"{name} must be the number of an event.", **{name: "must be a whole number"})
            return int(text)
    return None


async def _messages(scope: Scope, account: PaperAccount, after: int) -> AsyncIterator[Message]:
    events = follow(account, after=after, show=_show, permit=Permit(lambda: account_of(scope, account.pk)))
    try:
        async for message in events:
            yield message or Message()
    except NoLongerAllowed:
        return


def _show(rows: list[AccountEvent]) -> list[Message]:
    """Each event as the list of events shows it."""
    return [
        Message(str(row.seq), row.type, data)
        for row, data in zip(rows, EventSerializer(rows, many=True).data, strict=True)
    ]
