"""The texts of guests and hosts in eight languages.

Only texts are here; others draw from them. A text may name the fields {guest}, {host}, {rental}, {city},
{reference}, {time}, {day} and {code}.
"""

# Greek and full-width letters that look like Latin ones are intended.
# ruff: noqa: RUF001

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """One topic of a stay: questions of a guest and, at the same indexes, the answers of a host."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]


class Language(NamedTuple):
    """Names and texts of guests of one language. `topics` are in the order in which they come up during a stay."""

    locale: str
    dial: str
    given: tuple[str, ...]
    family: tuple[str, ...]
    hello: tuple[str, ...]
    dear: tuple[str, ...]
    regards: str
    thanks: tuple[str, ...]
    topics: tuple[Topic, ...]
    cancellation: Topic

    def fullname(self, given: str, family: str) -> str:
        """The full name in the order of the language: in Japanese the family name comes first."""
        return f"{family} {given}" if self.locale == "ja" else f"{given} {family}"


_ENGLISH = Language(
    locale="en",
    dial="+44",
    given=(
        *("Olivia", "Amara", "Liam", "Noah", "Grace", "Callum", "Zoe", "Priya", "Ethan", "Siobhán", "Marcus", "Hannah"),
        *("Theo", "Imogen", "Darius", "Wren"),
    ),
    family=(
        *("Whitaker", "Okafor", "O'Sullivan", "Nguyen", "Hargreaves", "Patel", "Sinclair", "Mbeki", "Fairbanks", "Cho"),
        *("Lindqvist", "Brandt-Moore", "Ellery", "Vance", "Rutherford", "Abernathy"),
    ),
    hello=("Hello {host}, ", "Hi there! ", "Good morning, ", "Hi {host}! ", ""),
    dear=("Hi {guest},\n\n", "Dear {guest},\n\n", "Hello {guest}! "),
    regards="\n\nBest regards,\n{host}",
    thanks=(
        "Perfect, thank you!",
        "Great, that's all I needed. See you {day}!",
        "Thanks so much, {host}.",
        "Lovely, thanks. We can't wait!",
        "👍 thanks",
    ),
    topics=(
        Topic(
            (
                "is {rental} still free for our dates? We are two couples.",
                "we'd love to book {rental}. Is it available?",
            ),
            ("Yes, it is still free. I can hold it for you until {day}.", "It is! Shall I send you an offer?"),
        ),
        Topic(
            ("would there be a discount for a stay of two weeks?", "is the cleaning fee included in the price?"),
            (
                "From ten nights on we take 10 % off.",
                "The price you see is the whole price, cleaning and linen included.",
            ),
        ),
        Topic(
            ("we have a small, well-behaved dog. Could we bring her?", "are pets allowed?"),
            (
                "Dogs are welcome, we only ask for a small cleaning supplement.",
                "I'm sorry, this house is kept free of pets.",
            ),
        ),
        Topic(
            ("how far is it to the nearest supermarket, on foot?", "is {city} doable without a car?"),
            ("Five minutes to the shop, ten to the station.", "Easily: the bus stops at the corner, every 20 minutes."),
        ),
        Topic(
            ("do you have a cot and a high chair for our baby?", "is the garden fenced? Our son is three."),
            (
                "Both are in the house, free of charge.",
                "It is, all round, and there is a gate at the top of the stairs.",
            ),
        ),
        Topic(
            ("how do we pay the deposit?", "my card was declined, can I pay by transfer?"),
            ("I've just sent you a payment link, valid until {day}.", "A transfer is fine. Please quote {reference}."),
        ),
        Topic(
            ("what time is check-in, and how do we get the keys?", "could you send us the check-in instructions?"),
            (
                "Check-in is from {time}. The key safe is left of the door, the code is {code}.",
                "I'll be there in person to meet you. Just message me half an hour before.",
            ),
        ),
        Topic(
            (
                "our flight lands late, we'll arrive around 23:00. Is that a problem?",
                "we're stuck in traffic, 2 hours late!",
            ),
            (
                "No problem at all, check in by yourselves with code {code}.",
                "Take your time and drive safely. I'll leave a light on.",
            ),
        ),
        Topic(
            ("could we check in early, maybe around 11?", "may we drop off our bags before {time}?"),
            (
                "The cleaners finish at {time}, but you can leave your bags from noon.",
                "You're in luck, nobody is leaving that day.",
            ),
        ),
        Topic(
            ("where can we park? We come with two cars.", "is there a charger for an electric car?"),
            (
                "There's one space in the courtyard; the street is free after 19:00.",
                "Yes, type 2, 11 kW. The card hangs by the door.",
            ),
        ),
        Topic(
            ("what's the wifi password?", "the wifi keeps dropping in the bedroom."),
            ("Network {rental}, password sunset-{code}.", "Please unplug the box in the hall for a minute. Better?"),
        ),
        Topic(
            ("the heating doesn't come on and it's rather cold.", "how do we turn on the hot water?"),
            (
                "Turn the thermostat in the hall to the right until it clicks.",
                "Sorry about that! A technician comes {day} at {time}.",
            ),
        ),
        Topic(
            ("are towels and bed linen provided?", "we can't find any spare towels."),
            (
                "Everything is there: sheets, two towels each, beach towels too.",
                "They're in the chest under the stairs.",
            ),
        ),
        Topic(
            ("the dishwasher shows error E{code}.", "a glass broke, sorry! How can we make up for it?"),
            ("Please clean the filter at the bottom, it does that.", "Don't worry about it, that's what glasses do."),
        ),
        Topic(
            ("the neighbours are very loud tonight.", "is there a restaurant you would recommend?"),
            (
                "I'm very sorry. I've called them, please tell me if it goes on.",
                "Try the place by the harbour, and say I sent you.",
            ),
        ),
        Topic(
            ("could we stay one night longer?", "may we check out at noon instead of 10?"),
            (
                "You can, for the same price a night. Shall I change {reference}?",
                "Noon is fine, no one arrives that day.",
            ),
        ),
        Topic(
            ("I think we left a phone charger in the bedroom.", "did you find a child's blue jacket?"),
            ("Found it! I'll post it {day}.", "The cleaner looked everywhere, I'm afraid it isn't there."),
        ),
        Topic(
            ("when will the deposit be returned?", "could you send me an invoice for {reference}?"),
            (
                "It was released this morning, your bank may need a few days.",
                "Attached. Thank you for staying with us!",
            ),
        ),
    ),
    cancellation=Topic(
        ("we have to cancel {reference}: my mother is ill. Will we get a refund?", "unfortunately we need to cancel."),
        (
            "I'm sorry to hear that. {reference} is cancelled, and the deposit is on its way back.",
            "Cancelled. Under the policy half of the price is refunded, within five days.",
        ),
    ),
)

_FRENCH = Language(
    locale="fr",
    dial="+33",
    given=("Camille", "Théo", "Zoé", "Rémi", "Anaïs", "Gaël", "Noémie", "Étienne", "Maëlle", "Benoît", "Inès", "Côme"),
    family=(
        *("Lefèvre", "Garnier", "Chauvet", "Moreau", "Bâtard"),
        *("Delacroix", "Guérin", "N'Diaye", "Roussel", "Le Goff"),
    ),
    hello=("Bonjour {host}, ", "Bonjour, ", "Bonsoir, "),
    dear=("Bonjour {guest},\n\n", "Chère cliente, cher client,\n\n"),
    regards="\n\nBien cordialement,\n{host}",
    thanks=("Parfait, merci beaucoup !", "Super, à {day} alors. Merci !"),
    topics=(
        Topic(
            ("{rental} est-il encore libre à ces dates ?", "nous serions cinq, est-ce possible ?"),
            ("Oui, je vous le garde jusqu'à {day}.", "Bien sûr, il y a un canapé-lit au salon."),
        ),
        Topic(
            ("à quelle heure peut-on arriver ?", "comment récupère-t-on les clés ?"),
            ("À partir de {time}. Le code de la boîte à clés est {code}.", "Je vous accueille sur place."),
        ),
        Topic(
            ("notre train arrive à 22 h 40, est-ce gênant ?", "nous aurons du retard à cause de la neige."),
            ("Aucun souci, vous entrez avec le code {code}.", "Prenez votre temps, bonne route !"),
        ),
        Topic(
            ("où peut-on se garer ?", "y a-t-il un local à skis ?"),
            ("Une place vous attend devant la maison, n° {code}.", "Oui, au sous-sol, la clé est sur le trousseau."),
        ),
        Topic(
            ("le wifi ne marche pas, auriez-vous une idée ?", "quel est le mot de passe du wifi ?"),
            ("Débranchez la box une minute, cela suffit souvent.", "soleil-{code}, tout en minuscules."),
        ),
        Topic(
            ("pourrions-nous garder le logement jusqu'à midi ?", "nous avons oublié un doudou !"),
            ("Avec plaisir.", "Retrouvé ! Je vous l'envoie {day}."),
        ),
    ),
    cancellation=Topic(
        ("nous devons malheureusement annuler {reference}.",),
        ("C'est annulé. L'acompte vous sera remboursé sous cinq jours.",),
    ),
)

_GERMAN = Language(
    locale="de",
    dial="+49",
    given=("Jürgen", "Anneliese", "Sören", "Käthe", "Lukas", "Mareike", "Günther", "Björn", "Leonie", "Matthias"),
    family=(
        *("Müller-Lüdenscheidt", "Größmann", "Schäfer", "Vogelsang", "Weiß"),
        *("Jäger", "Köhler", "Brückner", "Petersen"),
    ),
    hello=("Hallo {host}, ", "Guten Tag, ", "Liebe Gastgeber, "),
    dear=("Hallo {guest},\n\n", "Guten Tag {guest},\n\n"),
    regards="\n\nViele Grüße\n{host}",
    thanks=("Wunderbar, vielen Dank!", "Danke, dann bis {day}!"),
    topics=(
        Topic(
            ("ist {rental} in diesem Zeitraum noch frei?", "gibt es für zwei Wochen einen Rabatt?"),
            ("Ja, ich halte es bis {day} für Sie frei.", "Ab zehn Nächten sind es 10 % weniger."),
        ),
        Topic(
            ("ab wann können wir einchecken?", "wo bekommen wir die Schlüssel?"),
            ("Ab {time} Uhr.", "Im Schlüsselkasten links neben der Tür, Code {code}."),
        ),
        Topic(
            ("wir kommen erst gegen 23 Uhr an. Geht das?", "wir stehen im Stau, es wird später."),
            ("Kein Problem, der Code {code} gilt rund um die Uhr.", "Fahren Sie vorsichtig, das Licht ist an."),
        ),
        Topic(
            ("gibt es einen Stellplatz für unser Wohnmobil?", "kann man das Auto laden?"),
            ("Leider nur für Pkw, aber 300 m weiter ist ein Parkplatz.", "Ja, 11 kW im Hof."),
        ),
        Topic(
            ("wie lautet das WLAN-Passwort?", "die Heizung wird nicht warm."),
            (
                "See-{code}, bitte mit großem S.",
                "Bitte den Thermostat im Flur ganz aufdrehen, sonst komme ich {day} vorbei.",
            ),
        ),
        Topic(
            ("wann kommt die Kaution zurück?", "wir haben Wanderschuhe stehen lassen."),
            ("Sie ist heute angewiesen worden.", "Gefunden, ich schicke sie {day} los."),
        ),
    ),
    cancellation=Topic(
        ("leider müssen wir {reference} stornieren.",),
        ("Schade! Ihre Buchung ist storniert, die Anzahlung kommt in fünf Tagen zurück.",),
    ),
)

_SPANISH = Language(
    locale="es",
    dial="+34",
    given=("Lucía", "Álvaro", "Íñigo", "Begoña", "Ximena", "Andrés", "Pilar", "Joaquín", "Núria"),
    family=("Ibáñez", "de la Peña", "Muñoz", "Zúñiga", "Castaño", "Echeverría", "Solís", "Llorens"),
    hello=("Hola {host}, ", "¡Buenas! ", "Buenos días, "),
    dear=("Hola {guest}:\n\n", "¡Hola! "),
    regards="\n\nUn saludo,\n{host}",
    thanks=("¡Perfecto, muchas gracias!", "Genial, nos vemos el {day}."),
    topics=(
        Topic(("¿sigue libre {rental}?",), ("Sí, te lo reservo hasta el {day}.",)),
        Topic(("¿a qué hora podemos entrar?",), ("A partir de las {time}; el código de la puerta es {code}.",)),
        Topic(("llegamos de madrugada, ¿hay problema?",), ("Ninguno, la entrada es autónoma.",)),
        Topic(("¿dónde podemos aparcar?",), ("Hay una plaza en el garaje, la número {code}.",)),
        Topic(("¿cuál es la clave del wifi?",), ("verano-{code}, todo en minúsculas.",)),
        Topic(("¿podemos salir un poco más tarde?",), ("Claro, hasta las 12.",)),
    ),
    cancellation=Topic(("tenemos que cancelar {reference}, lo siento.",), ("Cancelado. Te devolvemos la señal.",)),
)

_ITALIAN = Language(
    locale="it",
    dial="+39",
    given=("Niccolò", "Giada", "Letizia", "Matteo", "Noemi", "Ettore", "Ludovica", "Rocco"),
    family=("D'Amico", "Forlì", "Bevilacqua", "Cattaneo", "Santangelo", "Nardò", "Zanetti", "Pellegrini"),
    hello=("Buongiorno {host}, ", "Salve, ", "Ciao! "),
    dear=("Buongiorno {guest},\n\n", "Ciao {guest}! "),
    regards="\n\nCordiali saluti,\n{host}",
    thanks=("Perfetto, grazie mille!", "Benissimo, a {day}!"),
    topics=(
        Topic(("{rental} è ancora disponibile?",), ("Sì, lo tengo per voi fino a {day}.",)),
        Topic(("accettate cani di piccola taglia?",), ("Certo, con un piccolo supplemento.",)),
        Topic(("a che ora è il check-in?",), ("Dalle {time}. Il codice è {code}.",)),
        Topic(("arriviamo tardi, verso le 23. Va bene?",), ("Nessun problema, l'ingresso è autonomo.",)),
        Topic(("c'è un parcheggio?",), ("Sì, davanti a casa, posto {code}.",)),
        Topic(("qual è la password del wifi?",), ("lago-{code}, tutto minuscolo.",)),
    ),
    cancellation=Topic(("purtroppo dobbiamo annullare {reference}.",), ("Fatto, la caparra torna in cinque giorni.",)),
)

_PORTUGUESE = Language(
    locale="pt",
    dial="+351",
    given=("João", "Conceição", "Gonçalo", "Leonor", "Vitória", "Simão", "Luísa", "André"),
    family=("Magalhães", "Simões", "Araújo", "Frazão", "da Conceição", "Leitão", "Brandão", "Quintão"),
    hello=("Olá {host}, ", "Bom dia, "),
    dear=("Olá {guest},\n\n",),
    regards="\n\nCumprimentos,\n{host}",
    thanks=("Perfeito, muito obrigado!", "Ótimo, até {day}."),
    topics=(
        Topic(("a casa {rental} ainda está livre?",), ("Está, sim. Fica reservada até {day}.",)),
        Topic(("a que horas podemos entrar?",), ("A partir das {time}, código {code}.",)),
        Topic(("o nosso voo chega muito tarde, há problema?",), ("Nenhum, a entrada é autónoma.",)),
        Topic(("há estacionamento?",), ("Há um lugar no pátio.",)),
        Topic(("qual é a palavra-passe do wifi?",), ("mar-{code}, em minúsculas.",)),
        Topic(("esquecemo-nos de um casaco azul.",), ("Encontrámos! Segue por correio {day}.",)),
    ),
    cancellation=Topic(("infelizmente temos de cancelar {reference}.",), ("Cancelado, devolvemos o sinal.",)),
)

_GREEK = Language(
    locale="el",
    dial="+30",
    given=("Γιώργος", "Ευαγγελία", "Αλέξανδρος", "Κατερίνα", "Δημήτρης", "Ιωάννα", "Θανάσης", "Χριστίνα"),
    family=("Καραγιάννης", "Οικονόμου", "Βασιλείου", "Ζερβού", "Λάμπρου", "Σταθάκης", "Ψαρρού", "Αγγελόπουλος"),
    hello=("Καλησπέρα {host}, ", "Γεια σας, "),
    dear=("Γεια σας {guest},\n\n", "Καλημέρα! "),
    regards="\n\nΜε εκτίμηση,\n{host}",
    thanks=("Τέλεια, ευχαριστούμε πολύ!", "Ωραία, ευχαριστώ!"),
    topics=(
        Topic(("είναι ακόμα διαθέσιμο το {rental};",), ("Ναι, σας το κρατάω.",)),
        Topic(("τι ώρα μπορούμε να μπούμε στο σπίτι;",), ("Από τις {time}. Ο κωδικός είναι {code}.",)),
        Topic(("το πλοίο φτάνει αργά το βράδυ, υπάρχει πρόβλημα;",), ("Κανένα πρόβλημα, σας περιμένουμε.",)),
        Topic(("υπάρχει χώρος στάθμευσης;",), ("Ναι, μπροστά στο σπίτι, δωρεάν.",)),
        Topic(("ποιος είναι ο κωδικός του wifi;",), ("thalassa-{code}, με μικρά.",)),
        Topic(("μπορούμε να μείνουμε μία νύχτα ακόμα;",), ("Βεβαίως, στην ίδια τιμή.",)),
    ),
    cancellation=Topic(
        ("δυστυχώς πρέπει να ακυρώσουμε την κράτηση {reference}.",), ("Ακυρώθηκε. Θα επιστραφεί η προκαταβολή.",)
    ),
)

_JAPANESE = Language(
    locale="ja",
    dial="+81",
    given=("結衣", "大翔", "さくら", "悠真", "美優", "翔太", "千尋", "直樹"),
    family=("佐々木", "小林", "渡辺", "高橋", "石川", "長谷川", "松本", "中島"),
    hello=("こんにちは。", "はじめまして。", "お世話になります。"),
    dear=("{guest}様\n\n",),
    regards="\n\n{host}",
    thanks=("ありがとうございます。楽しみにしています。", "承知しました。ありがとうございます!"),
    topics=(
        Topic(("{rental}はまだ予約できますか?",), ("はい、空いております。",)),
        Topic(("チェックインは何時からですか?",), ("{time}からです。暗証番号は{code}です。",)),
        Topic(("到着が夜遅くなりますが、大丈夫でしょうか?",), ("問題ございません。お気をつけてお越しください。",)),
        Topic(("駐車場はありますか?",), ("はい、建物の前に一台分ございます。",)),
        Topic(("Wi-Fiのパスワードを教えてください。",), ("hana-{code} です。",)),
        Topic(("部屋に充電器を忘れたようです。",), ("見つかりました。お送りいたします。",)),
    ),
    cancellation=Topic(
        ("申し訳ありませんが、{reference}をキャンセルしたいです。",), ("承りました。返金は五日ほどかかります。",)
    ),
)

LANGUAGES = {
    language.locale: language
    for language in (_ENGLISH, _FRENCH, _GERMAN, _SPANISH, _ITALIAN, _PORTUGUESE, _GREEK, _JAPANESE)
}
# How many of the first English topics precede a booking.
BEFORE_BOOKING = 5
