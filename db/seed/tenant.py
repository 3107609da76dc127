"""What an account has before its first conversation: users, hosts, sources and rentals.

It also names the applications, which all accounts share, and the routes by which guests reach an account. It makes no
conversation, and only the rentals are random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from db.seed.dice import Dice
from db.seed.rows import DAY, Rows, moment
from db.seed.speech import LANGUAGES, Language
from db.seed.words import COMPANIES, DWELLINGS, NAMESAKES, Company
from db.tables import Channel, MessageOrigin

APPLICATIONS = (
    *("Airbnb Connector", "Booking.com Connector", "Vrbo Connector", "HomeAway Connector", "Expedia Connector"),
    *("Website Forms", "Inbox"),
)
# The ids of the applications of routes and hosts: their positions in the tuple above, from 1.
AIRBNB_APP, BOOKING_COM_APP, VRBO_APP, HOMEAWAY_APP, EXPEDIA_APP, WEBSITE_APP, INBOX_APP = range(
    1, len(APPLICATIONS) + 1
)


class Route(NamedTuple):
    """How a guest reaches the account: the source of the business, its channel, and where messages are written.

    `weight` is its share of conversations. An origin that is listed twice is drawn twice as often.
    """

    source: str
    channel: Channel
    application: int
    origins: tuple[MessageOrigin, ...]
    weight: int
    internal: bool = True


_O = MessageOrigin
ROUTES = (
    Route("Airbnb", Channel.AIRBNB, AIRBNB_APP, (*[_O.AIRBNB_MESSAGE] * 5, _O.AIRBNB_EMAIL), 33),
    Route("Booking.com", Channel.BOOKING_COM, BOOKING_COM_APP, (_O.BOOKING_COM,), 25),
    Route("Vrbo", Channel.VRBO, VRBO_APP, (_O.VRBO,), 9),
    Route("HomeAway", Channel.HOMEAWAY, HOMEAWAY_APP, (_O.HOMEAWAY,), 7),
    Route("Expedia", Channel.EXPEDIA, EXPEDIA_APP, (_O.EXPEDIA,), 6),
    Route("Website", Channel.EMAIL, WEBSITE_APP, (*[_O.EMAIL] * 4, _O.MESSENGER, _O.WHATSAPP), 12, internal=False),
    Route("Phone and walk-in", Channel.EMAIL, INBOX_APP, (_O.EMAIL, _O.SMS, _O.WHATSAPP), 5, internal=False),
    Route("Tripadvisor", Channel.EMAIL, WEBSITE_APP, (_O.TRIPADVISOR, _O.EMAIL), 3),
)
MOST_RENTALS = 300


class HostRow(NamedTuple):
    """The values of a host that conversations use."""

    id: int
    firstname: str
    user_id: int | None


class RentalRow(NamedTuple):
    """The values of a rental that conversations use."""

    id: int
    name: str
    city: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """An account to which conversations can be added. `source_ids` are in the order of `ROUTES`."""

    account_id: int
    company: Company
    languages: tuple[Language, ...]
    hosts: tuple[HostRow, ...]
    source_ids: tuple[int, ...]
    rentals: tuple[RentalRow, ...]


def add_applications(rows: Rows) -> None:
    """Add the applications; their ids are their positions in `APPLICATIONS`, from 1."""
    for name in APPLICATIONS:
        rows.put("applications", rows.new_id("applications"), name)


def add_tenant(rows: Rows, dice: Dice, since: int, conversations: int) -> Tenant:
    """Add the next account, founded before `since` (milliseconds), with rentals for that many conversations."""
    account_id = rows.new_id("accounts")
    lap, place = divmod(account_id - 1, len(COMPANIES))
    company = COMPANIES[place]
    name = company.name if lap == 0 else f"{company.name} {lap + 1}"
    stamps = (moment(since - 30 * DAY), moment(since - 2 * DAY))
    rows.put("accounts", account_id, name, f"office@{company.domain}", company.time_zone, *stamps)
    source_ids = tuple(rows.add("sources", account_id, route.source, route.internal, *stamps) for route in ROUTES)
    hosts = []
    for position, (first, last) in enumerate(company.hosts, 1):
        email = f"host-{position}@{company.domain}"
        # The last host works for a channel's owner programme and has no login here.
        without_login = position == len(company.hosts)
        user_id = None if without_login else rows.add("users", account_id, f"{first} {last}", email)
        source_id = source_ids[0] if without_login else None
        host_id = rows.add("hosts", account_id, first, last, email, user_id, source_id, *stamps)
        hosts.append(HostRow(host_id, first, user_id))
    names = dice.sample(
        [f"{dwelling} {of}" for dwelling in DWELLINGS for of in NAMESAKES], _rental_count(conversations)
    )
    rentals = []
    for rental in names:
        city, country = dice.pick(company.places)
        rentals.append(RentalRow(rows.add("rentals", account_id, rental, city, country, *stamps), rental, city))
    languages = tuple(LANGUAGES[locale] for locale in company.locales)
    return Tenant(account_id, company, languages, tuple(hosts), source_ids, tuple(rentals))


def _rental_count(conversations: int) -> int:
    return min(10 + conversations // 50, MOST_RENTALS)
