"""VRRP speakers on this node's wires that are not ours: who was heard, where, when; and whom to stop listening to.

A voice that is none of this node's own instances is unknown until the instances of the cluster were looked at: it may
be one of those that run on other nodes only, which is then muted for good. A stranger that was heard is muted for
`MUTE` seconds (the kernel drops its adverts), so that one who sends ten a second costs one wake-up in `MUTE` seconds.
One silent for `FORGET` seconds is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from vipmgr.core.model import Family
from vipmgr.core.stranger_filter import Voice
from vipmgr.core.vrrp_packet import Advert

MUTE: Final = 30.0
FORGET: Final = 180.0


class Heard(NamedTuple):
    """One line of VipNode.status.strangers; `at` in seconds of the clock that was handed in."""

    interface: str
    family: Family
    vrid: int
    source: str
    at: float


class Found(NamedTuple):
    """A stranger for an audit line."""

    interface: str
    advert: Advert


@dataclass(slots=True)
class _Speaker:
    """`first`, `last`: when it was heard. `advert`: the last one. `strange`: it was judged."""

    first: float
    last: float
    advert: Advert
    strange: bool = False

    @property
    def voice(self) -> Voice | None:
        return voice_of(self.advert)


class Strangers:
    """`own` whenever a plan is confirmed; `judge` after `hear` has said that somebody is unknown."""

    def __init__(self) -> None:
        self._speakers: dict[tuple[str, Family, int, str], _Speaker] = {}
        self._muted: dict[Voice, float] = {}
        self._own: frozenset[Voice] = frozenset()
        self._kin: frozenset[Voice] = frozenset()

    def own(self, voices: frozenset[Voice]) -> None:
        """The signatures of this node's instances now. What was heard with one of them before was a peer."""
        self._own = voices
        self._forget(voices)

    def judge(self, kin: Iterable[Voice], asked: float) -> list[Found]:
        """`kin`: the signatures of all instances of this cluster, as they were at `asked` or later. The new strangers.

        Who was first heard after `asked` may be of an instance made since, and stays unknown.
        """
        self._kin = frozenset(kin)
        self._forget(self._kin)
        found = []
        for (interface, *_), one in sorted(self._speakers.items()):
            if not one.strange and one.first <= asked:
                one.strange = True
                found.append(Found(interface, one.advert))
        return found

    def hear(self, interface: str, advert: Advert, now: float) -> None:
        voice = voice_of(advert)
        if voice in self._own or voice in self._kin:
            return
        if voice is not None:
            self._muted[voice] = now + MUTE
        key = (interface, advert.family, advert.vrid, str(advert.source))
        known = self._speakers.setdefault(key, _Speaker(now, now, advert))
        known.last, known.advert = now, advert

    def expire(self, now: float) -> None:
        """Forget who has been silent, and listen again to who was muted long enough."""
        self._speakers = {key: one for key, one in self._speakers.items() if now - one.last < FORGET}
        self._muted = {voice: until for voice, until in self._muted.items() if now < until}

    @property
    def unknown(self) -> bool:
        """Whether somebody waits to be judged."""
        return any(not one.strange for one in self._speakers.values())

    @property
    def muted(self) -> frozenset[Voice]:
        """Whose adverts the kernel is to drop."""
        return self._own | self._kin | self._muted.keys()

    @property
    def heard(self) -> tuple[Heard, ...]:
        return tuple(Heard(*key, one.last) for key, one in sorted(self._speakers.items()) if one.strange)

    def _forget(self, voices: frozenset[Voice]) -> None:
        self._speakers = {key: one for key, one in self._speakers.items() if one.voice not in voices}


def voice_of(advert: Advert) -> Voice | None:
    """None for an advert without an address, which nobody of ours sends."""
    return Voice(advert.family, advert.vrid, advert.addresses[0]) if advert.addresses else None
