"""The texts of a conversation: who writes each message, its words, and whether the guest can read it.

The texts come from `speech` and `words`. Times, ids and tables are not known here.
"""

from __future__ import annotations

from typing import NamedTuple

from db.seed.dice import Dice
from db.seed.speech import BEFORE_BOOKING, LANGUAGES, Language
from db.seed.words import INQUIRY_SUBJECTS, NOTES, SPAM, SPAM_SUBJECTS, SUBJECTS

_ENGLISH = LANGUAGES["en"]


class Line(NamedTuple):
    """One message: the index of its speaker in the cast, its text, and whether it is a note among hosts."""

    speaker: int
    text: str
    internal: bool = False


class Cast(NamedTuple):
    """The speakers of a conversation by their indexes, at least one guest, and the names that hosts sign with."""

    guests: tuple[int, ...]
    hosts: tuple[int, ...]
    names: dict[int, str]


class Plot(NamedTuple):
    """The topic of a conversation of `length` messages; `facts` fill the fields of the texts, except {host}."""

    length: int
    spam: bool
    booked: bool
    canceled: bool
    language: Language
    facts: dict[str, str]


def subject(dice: Dice, plot: Plot) -> str | None:
    """Draw a subject, at most 255 characters long; some conversations have none."""
    if plot.spam:
        return dice.pick(SPAM_SUBJECTS)
    if dice.chance(0.15):
        return None
    return dice.pick(SUBJECTS if plot.booked else INQUIRY_SUBJECTS).format_map(plot.facts)


def lines(dice: Dice, plot: Plot, cast: Cast) -> list[Line]:
    """Return the messages in order. Guest and host take turns; with two hosts, notes come in between."""
    if plot.spam:
        return [Line(cast.guests[0], dice.pick(SPAM))]
    # A long conversation needs more topics than some languages have; the guest then writes in English.
    turns = (plot.length + 1) // 2
    language = plot.language if turns <= len(plot.language.topics) else _ENGLISH
    exchanges = _exchanges(dice, plot, language, turns)
    main_host = cast.hosts[0] if cast.hosts else -1
    facts = {**plot.facts, "host": cast.names[main_host]}
    written: list[Line] = []
    turn = 0
    while len(written) < plot.length:
        question, answer = exchanges[turn // 2]
        if turn % 2:
            speaker = dice.pick(cast.hosts) if dice.chance(0.2) else main_host
            facts["host"] = cast.names[speaker]
            written.append(Line(speaker, _answer(dice, language, answer, turn).format_map(facts)))
            facts["host"] = cast.names[main_host]
        else:
            ends = turn > 0 and len(written) == plot.length - 1 and dice.chance(0.6)
            text = dice.pick(language.thanks) if ends else _question(dice, language, question, turn)
            written.append(Line(dice.pick(cast.guests), text.format_map(facts)))
        turn += 1
        if len(cast.hosts) > 1 and len(written) < plot.length and dice.chance(0.14):
            speaker = dice.pick(cast.hosts)
            written.append(Line(speaker, dice.pick(NOTES).format_map(facts), internal=True))
    return written


def guest_is_waiting(written: list[Line], cast: Cast) -> bool:
    """Whether the guest wrote the last message that the guest can read."""
    spoken = [line.speaker for line in written if not line.internal]
    return bool(spoken) and spoken[-1] in cast.guests


def _exchanges(dice: Dice, plot: Plot, language: Language, count: int) -> list[tuple[str, str]]:
    """Draw that many questions with their answers, in the order in which they come up during a stay."""
    known = language.topics
    # Without a booking, questions that precede one come first; the others follow only if more are needed.
    among = len(known) if plot.booked else min(max(count, BEFORE_BOOKING), len(known))
    topics = [known[place] for place in sorted(dice.sample(range(among), count))]
    if plot.canceled and topics:
        topics[-1] = language.cancellation
    return [dice.pick(tuple(zip(topic.questions, topic.answers, strict=True))) for topic in topics]


def _question(dice: Dice, language: Language, question: str, turn: int) -> str:
    hello = dice.pick(language.hello) if turn == 0 or dice.chance(0.1) else ""
    return hello + question if hello.endswith(", ") else hello + question[0].upper() + question[1:]


def _answer(dice: Dice, language: Language, answer: str, turn: int) -> str:
    dear = dice.pick(language.dear) if turn == 1 or dice.chance(0.1) else ""
    return dear + answer + language.regards if turn == 1 or dice.chance(0.3) else dear + answer
