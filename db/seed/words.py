"""Invented companies with their people and places, and texts beside the dialogue: subjects, notes, spam.

Only texts are here; others draw from them. Mail domains end in `.example`, which is reserved. Texts have the same
fields as those of `db.seed.speech`.
"""

from __future__ import annotations

from typing import NamedTuple


class Company(NamedTuple):
    """A property manager: its people, where its rentals stand, which languages its guests speak, most common first."""

    name: str
    time_zone: str
    domain: str
    currency: str
    hosts: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...]
    locales: tuple[str, ...]


COMPANIES = (
    Company(
        name="Lac & Cimes Holiday Homes",
        time_zone="Europe/Zurich",
        domain="lac-et-cimes.example",
        currency="CHF",
        hosts=(
            ("Élodie", "Perret"),
            ("Jonas", "Brunner"),
            ("Chiara", "Bernasconi"),
            ("Loïc", "Favre"),
            ("Ursula", "Zäch"),
        ),
        places=(("Montreux", "CH"), ("Zermatt", "CH"), ("Lugano", "CH"), ("Chamonix", "FR"), ("Annecy", "FR")),
        locales=("en", "fr", "de", "it", "en", "fr", "ja", "es"),
    ),
    Company(
        name="Κυκλάδες Stays",
        time_zone="Europe/Athens",
        domain="kyklades-stays.example",
        currency="EUR",
        hosts=(
            ("Ελένη", "Παπαδοπούλου"),
            ("Νίκος", "Αντωνίου"),
            ("Daphne", "Kalergis"),
            ("Σοφία", "Μαυρίδη"),
            ("Femi", "Oyelaran"),
        ),
        places=(("Náousa", "GR"), ("Οία", "GR"), ("Ermoúpoli", "GR"), ("Χανιά", "GR"), ("Apeíranthos", "GR")),
        locales=("en", "el", "de", "it", "en", "pt", "ja", "fr"),
    ),
    Company(
        name="Casas do Atlântico",
        time_zone="Europe/Lisbon",
        domain="casas-do-atlantico.example",
        currency="EUR",
        hosts=(("Inês", "Cordeiro"), ("Tiago", "Salgado"), ("Beatriz", "Antunes"), ("Rui", "Falcão")),
        places=(("Ericeira", "PT"), ("Tavira", "PT"), ("Nazaré", "PT"), ("Cádiz", "ES")),
        locales=("en", "pt", "es", "fr", "de"),
    ),
    Company(
        name="京町家の宿",
        time_zone="Asia/Tokyo",
        domain="kyomachiya.example",
        currency="JPY",
        hosts=(("美咲", "森田"), ("健太", "岡本"), ("Naomi", "Fields"), ("陽子", "西村")),
        places=(("京都", "JP"), ("奈良", "JP"), ("金沢", "JP"), ("Onomichi", "JP")),
        locales=("en", "ja", "en", "fr", "es"),
    ),
    Company(
        name="Blue Ridge Cabin Co.",
        time_zone="America/New_York",
        domain="blue-ridge-cabins.example",
        currency="USD",
        hosts=(("Harper", "Delaney"), ("Malik", "Whitlock"), ("Rosa", "Quintero"), ("Gus", "Thorne")),
        places=(("Asheville", "US"), ("Boone", "US"), ("Gatlinburg", "US"), ("Floyd", "US")),
        locales=("en", "en", "es", "en", "de"),
    ),
)

DWELLINGS = ("Villa", "Casa", "Chalet", "Loft", "Studio", "Cottage", "Maison", "Apartment", "Cabin", "Penthouse")
NAMESAKES = (
    *("Aurora", "Bellevue", "Mistral", "Gentiane", "Oleander", "Bougainvillea", "Edelweiss", "Solstice", "Calypso"),
    *("Marée Haute", "Les Érables", "Tramontana", "Kingfisher", "Old Mill", "Zephyr", "Lighthouse", "Almond Tree"),
    *("Petit Port", "Sternblick", "Halcyon", "Rosemary", "Capitaine", "Moonrise", "Cobalt", "Terracotta", "Swallow"),
    *("Belvédère", "Ivory", "Stone Bridge", "Clementine", "Larkspur", "Saffron", "Driftwood", "Nautilus", "Juniper"),
)

SUBJECTS = (
    "Booking {reference} · {rental}",
    "Booking {reference}",
    "Your stay at {rental}",
    "{rental}, {city}: arrival",
    "Question about {rental}",
    "{guest} · {rental}",
)
INQUIRY_SUBJECTS = ("Inquiry: {rental}, {city}", "Is {rental} available?", "Inquiry from {guest}")
SPAM_SUBJECTS = ("Boost your listing NOW", "RE: RE: payment pending", "You have been selected")

SPAM = (
    "Dear owner, we bring your property to page ONE of every search engine. Reply today for 80 % off.",
    "Good day, my client wishes to rent for six months and pays more than asked, by cheque. Kindly send bank details.",
    "Congratulations! Your rental won the Gold Travel Award. Pay the small handling fee to receive your trophy.",
    "We noticed your website has 14 critical SEO errors. Shall I send the free report?",
)

NOTES = (
    "Cleaner confirmed for {day}, {time}.",
    "I called {guest}: all good, arrives around {time}.",
    "Careful, second complaint about the water pressure at {rental} this month.",
    "Can someone near {city} drop off the spare key?",
    "Returning guest, let's leave a bottle of wine.",
    "Refund approved up to the cleaning fee, not more.",
    "Deposit for {reference} is still missing. I'll remind them {day}.",
    "Handing this one over to you, I'm off from {day}.",
    "Plumber booked for {day}. Please tell the guest.",
    "Ne pas oublier le lit bébé, merci !",
)

ARRIVALS = ("14:00", "15:00", "15:30", "16:00", "17:00")
