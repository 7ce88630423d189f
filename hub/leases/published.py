"""The leases as the database has them, at hand for reading: what pages show and requests are answered from."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from hub.leases.model import Lease, LeaseStatus, Session

ENDED_AT_HAND = 2_000
"""More would be found faster, and make every look for garbage longer: 10,000 held the event loop up for 20 to 30 ms."""
WAKE_EVERY_S = 0.05
"""At thousands of commits a second nobody looks at each; who waits for a change is woken this often at most."""


class Published:
    """Live leases, and those that ended last. Changed only after a commit, in the event loop."""

    def __init__(self) -> None:
        self.version = 0
        """Grows with every committed change."""
        self._live: dict[str, Lease] = {}
        self._by_session: dict[str, Lease] = {}
        self._ended: OrderedDict[str, Lease] = OrderedDict()
        self._changed = asyncio.Event()
        self._wake: asyncio.TimerHandle | None = None
        self._in_order: tuple[int, list[Lease]] = (-1, [])

    def replace_all(self, live: Iterable[Lease]) -> None:
        """Start afresh from these."""
        self._live = {lease.id: lease for lease in live}
        self._by_session = {lease.ask.session.key: lease for lease in self._live.values()}
        self._note_change()

    def put(self, leases: Iterable[Lease]) -> None:
        """Take in what a commit changed."""
        for lease in leases:
            key = lease.ask.session.key
            if lease.is_live:
                self._live[lease.id] = self._by_session[key] = lease
                continue
            self._live.pop(lease.id, None)
            if key in self._by_session and self._by_session[key].id == lease.id:
                del self._by_session[key]
            self._ended[lease.id] = lease
            if len(self._ended) > ENDED_AT_HAND:
                self._ended.popitem(last=False)
        self._note_change()

    def find(self, lease_id: str) -> Lease | None:
        """The lease, if it lives or ended not long ago."""
        return self._live.get(lease_id) or self._ended.get(lease_id)

    def of_session(self, session: Session) -> Lease | None:
        return self._by_session.get(session.key)

    def live(self) -> list[Lease]:
        """Every live lease, in the order of asking."""
        version, leases = self._in_order
        if version != self.version:
            leases = sorted(self._live.values(), key=lambda lease: lease.order)
            self._in_order = self.version, leases
        return leases

    def waiting(self) -> list[Lease]:
        return [lease for lease in self.live() if lease.status is LeaseStatus.WAITING]

    async def changed(self, version: int, timeout_s: float) -> int:
        """The version once it is another one, or after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.version == version:
                    await self._changed.wait()
        except TimeoutError:
            pass
        return self.version

    def _note_change(self) -> None:
        self.version += 1
        if self._wake is None:
            self._wake = asyncio.get_running_loop().call_later(WAKE_EVERY_S, self._wake_everybody)

    def _wake_everybody(self) -> None:
        self._wake = None
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Wake who still waits for a change; nothing more will come."""
        if self._wake is not None:
            self._wake.cancel()
        self._wake_everybody()
