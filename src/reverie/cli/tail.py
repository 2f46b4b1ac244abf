"""``reverie sessions tail``: a session's log as it grows, whichever process writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverie.cli.options import AsJson, Db
from reverie.cli.output import talk

if TYPE_CHECKING:
    from reverie.app import Reverie
    from reverie.domain.events import Event

__all__ = ["tail"]

_PAGE: Final = 256


def tail(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="A session id or a unique prefix.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many events to begin with.")] = 20,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when the session rests; at once if it does.")
    ] = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Follow a session: what happens in it, as it happens, until it ends or you press Ctrl-C."""
    import reverie
    from reverie.domain.errors import NotFound

    with reverie.open(db) as house:
        found = house.log.session(session_id)
        try:
            asyncio.run(_show(house, found.id, max(0, found.events - lines), until_idle, as_json))
        except NotFound:
            talk.print("the session was deleted")
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


async def _show(house: Reverie, session_id: str, after: int, until_idle: bool, as_json: bool) -> None:
    from reverie.cli.showing import Screen

    screen = Screen(as_json=as_json, ask=False, yes=False, whole=True)
    async for event in _events(house, session_id, after):
        if event is not None:
            screen.show(event)
        if (event is None and until_idle and await _rests(house, session_id)) or _ended(event):
            return


async def _events(house: Reverie, session_id: str, after: int) -> AsyncGenerator[Event | None]:
    """The events behind number ``after``; None each time when there is no more for now."""
    from reverie.agents.watch import Previewed, Watch
    from reverie.storage.events import read

    with Watch(house.feed, session_id) as watch:
        while True:
            if isinstance(await watch.next(), Previewed):
                continue
            page = await asyncio.to_thread(house.live.log_after, session_id, after, _PAGE)
            while page:
                for link in page:
                    yield read(link)
                after = page[-1].seq
                page = await asyncio.to_thread(house.live.log_after, session_id, after, _PAGE)
            yield None


def _ended(event: Event | None) -> bool:
    return event is not None and event.type == "session.status_terminated"


async def _rests(house: Reverie, session_id: str) -> bool:
    row = await asyncio.to_thread(house.live.row, session_id)
    if row.body is None or row.status in ("idle", "terminated"):
        return session_id not in await asyncio.to_thread(house.live.waiting)
    return False
