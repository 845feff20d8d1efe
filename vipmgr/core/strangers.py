"""VRRP speakers on this node's wires that are not ours: who was heard, where, when; and whom to stop listening to.

A stranger that was heard is muted for `MUTE` seconds (the kernel drops its adverts), so that one who sends ten a second
costs one wake-up in `MUTE` seconds. One silent for `FORGET` seconds is gone.
"""

from __future__ import annotations

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


class Strangers:
    """`own`: the signatures of this node's instances; set it whenever a plan is confirmed."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, Family, int, str], tuple[float, Voice | None]] = {}
        self._muted: dict[Voice, float] = {}
        self._own: frozenset[Voice] = frozenset()

    def own(self, voices: frozenset[Voice]) -> None:
        """Our instances now. What was heard with their signature before is forgotten: it was a peer."""
        self._own = voices
        self._heard = {key: known for key, known in self._heard.items() if known[1] not in voices}

    def hear(self, interface: str, advert: Advert, now: float) -> bool:
        """Note one advert; True when its sender is new here."""
        voice = voice_of(advert)
        if voice in self._own:
            return False
        if voice is not None:
            self._muted[voice] = now + MUTE
        key = (interface, advert.family, advert.vrid, str(advert.source))
        fresh = key not in self._heard
        self._heard[key] = now, voice
        return fresh

    def expire(self, now: float) -> None:
        """Forget who has been silent, and listen again to who was muted long enough."""
        self._heard = {key: known for key, known in self._heard.items() if now - known[0] < FORGET}
        self._muted = {voice: until for voice, until in self._muted.items() if now < until}

    @property
    def muted(self) -> frozenset[Voice]:
        """Whose adverts the kernel is to drop."""
        return self._own | self._muted.keys()

    @property
    def heard(self) -> tuple[Heard, ...]:
        return tuple(Heard(*key, self._heard[key][0]) for key in sorted(self._heard))


def voice_of(advert: Advert) -> Voice | None:
    """None for an advert without an address, which nobody of ours sends."""
    return Voice(advert.family, advert.vrid, advert.addresses[0]) if advert.addresses else None
