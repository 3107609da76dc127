"""What is said in a conversation: who speaks, which words, and whether the guest can read them.

It draws from `speech` and `words`; it knows no times, ids or tables.
"""

from __future__ import annotations

from typing import NamedTuple

from db.seed.dice import Dice
from db.seed.speech import BEFORE_BOOKING, LANGUAGES, Language
from db.seed.words import INQUIRY_SUBJECTS, NOTES, SPAM, SPAM_SUBJECTS, SUBJECTS

_ENGLISH = LANGUAGES["en"]


class Line(NamedTuple):
    """One message: the speaker's place in the cast, the text, and whether it is a note among hosts."""

    speaker: int
    text: str
    internal: bool = False


class Cast(NamedTuple):
    """The places of those who speak in a conversation, and what hosts sign with, by place. There is a guest."""

    guests: tuple[int, ...]
    hosts: tuple[int, ...]
    names: dict[int, str]


class Plot(NamedTuple):
    """What a conversation of `length` messages is about; `facts` fill the fields of the texts, except {host}."""

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
    """Write the messages in order. Guest and host take turns; notes come between them where there are two hosts."""
    if plot.spam:
        return [Line(cast.guests[0], dice.pick(SPAM))]
    # A long talk needs more topics than some languages have; the guest then writes in English.
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
    """Whether the guest had the last word of those that the guest can read."""
    spoken = [line.speaker for line in written if not line.internal]
    return bool(spoken) and spoken[-1] in cast.guests


def _exchanges(dice: Dice, plot: Plot, language: Language, count: int) -> list[tuple[str, str]]:
    """Draw that many questions with their answers, in the order in which a stay brings them up."""
    known = language.topics
    # What is asked before a booking comes first where there is none yet, and the rest only in a long talk.
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
