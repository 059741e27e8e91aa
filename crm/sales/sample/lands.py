"""Where the customers of the sample live, and what is said to them in their languages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Land:
    """Where customers live: their language and money, names to draw from, and what is written about them."""

    country: str
    code: str
    language: str
    currency: str
    top: str
    cities: tuple[tuple[str, str], ...]
    streets: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    firms: tuple[tuple[str, str, str], ...]
    dialling: str
    jobs: tuple[str, ...]
    jobs_to_do: tuple[str, ...]
    notes: tuple[str, ...]


GERMANY = Land(
    country="Germany",
    code="DE",
    language="de",
    currency="EUR",
    top="de",
    cities=(("Leipzig", "04109"), ("Dresden", "01067"), ("Halle", "06108"), ("Erfurt", "99084"), ("Berlin", "10115")),
    streets=("Lindenstraße", "Bahnhofstraße", "Gartenweg", "Am Mühlberg", "Schillerplatz"),
    first=("Anna", "Jürgen", "Katrin", "Lukas", "Sabine", "Thomas", "Ulrike", "Friedrich", "Mira", "Özlem", "Jan"),
    last=("Schröder", "Müller", "Vogel", "Krause", "Lehmann", "Hartmann", "Yıldız", "Böhm", "Seidel", "Winkler"),
    firms=(
        ("Baugenossenschaft Elsterblick", "Housing", "51-200"),
        ("Hausverwaltung Lindenhof", "Property management", "11-50"),
        ("Architekturbüro Vogel & Seidel", "Architecture", "11-50"),
        ("Autohaus Pleißenring", "Car trade", "51-200"),
        ("Kita Regenbogen e. V.", "Education", "11-50"),
        ("Bäckerei Morgenrot", "Food", "11-50"),
        ("Praxis Dr. Böhm", "Health", "1-10"),
        ("Hotel Alte Mühle", "Hospitality", "51-200"),
        ("Stadtwerke Nordtal", "Utilities", "201-1000"),
        ("Schreinerei Hartmann", "Crafts", "1-10"),
        ("Seniorenheim Abendsonne", "Health", "51-200"),
        ("Druckerei Blattwerk", "Printing", "11-50"),
        ("Gymnasium am Rosenpark", "Education", "51-200"),
        ("Weingut Saalehang", "Agriculture", "1-10"),
    ),
    dialling="+49 341 55",
    jobs=("Geschäftsführerin", "Hausmeister", "Architekt", "Einkauf", "Bauleiterin", "Verwalter"),
    jobs_to_do=("Angebot nachfassen", "Aufmaß vereinbaren", "Musterecke vorbeibringen", "Rückruf wegen Schallschutz"),
    notes=(
        "Wünscht dreifach verglaste Fenster, innen Eiche, außen anthrazit.",
        "Denkmalschutz prüft noch die Sprossen. Antwort in zwei Wochen.",
        "Hat auch ein Angebot der Konkurrenz, uns ist die Lieferzeit wichtiger als der Preis.",
        "Aufmaß im Dachgeschoss nur vormittags möglich, Schlüssel beim Hausmeister.",
        "Zahlung in drei Raten vereinbart.",
    ),
)
FRANCE = Land(
    country="France",
    code="FR",
    language="fr",
    currency="EUR",
    top="fr",
    cities=(("Strasbourg", "67000"), ("Lyon", "69002"), ("Nancy", "54000"), ("Dijon", "21000")),
    streets=("rue des Tilleuls", "avenue de la Gare", "quai Saint-Jean", "rue du Moulin"),
    first=("Amélie", "Benoît", "Chloé", "François", "Hélène", "Mathieu", "Zoé", "Théo"),
    last=("Lefèvre", "Moreau", "Girard", "Dubois", "Chevalier", "Benali", "Rousseau", "Noël"),
    firms=(
        ("Immobilière du Rhin", "Property management", "51-200"),
        ("Atelier Moreau Architectes", "Architecture", "1-10"),
        ("Hôtel des Trois Ponts", "Hospitality", "11-50"),
        ("École Sainte-Odile", "Education", "51-200"),
        ("Clinique des Vosges", "Health", "201-1000"),
        ("Boulangerie Girard et Fils", "Food", "1-10"),
        ("Résidence Les Mésanges", "Housing", "11-50"),
        ("Domaine du Vieux Chêne", "Agriculture", "11-50"),
        ("Mairie de Valbois", "Public sector", "51-200"),
    ),
    dialling="+33 3 88 10 ",
    jobs=("Directrice", "Architecte", "Gestionnaire", "Responsable travaux", "Gérant"),
    jobs_to_do=(
        "Relancer le devis",
        "Fixer la prise de mesures",
        "Envoyer les échantillons",
        "Rappeler pour les volets",
    ),
    notes=(
        "Souhaite du chêne clair et des volets intégrés.",
        "Budget voté en conseil le mois prochain.",
        "Prise de mesures possible le mercredi seulement.",
        "Très sensible à l’isolation phonique, la rue est bruyante.",
    ),
)
POLAND = Land(
    country="Poland",
    code="PL",
    language="pl",
    currency="PLN",
    top="pl",
    cities=(("Wrocław", "50-001"), ("Poznań", "61-001"), ("Zgorzelec", "59-900")),
    streets=("ul. Lipowa", "ul. Ogrodowa", "ul. Kościuszki", "pl. Wolności"),
    first=("Agnieszka", "Łukasz", "Małgorzata", "Piotr", "Zofia", "Krzysztof", "Żaneta"),
    last=("Kowalska", "Wiśniewski", "Zieliński", "Dąbrowska", "Wójcik", "Szczepański"),
    firms=(
        ("Spółdzielnia Mieszkaniowa Zacisze", "Housing", "51-200"),
        ("Pensjonat Pod Lipami", "Hospitality", "11-50"),
        ("Biuro Projektowe Zieliński", "Architecture", "1-10"),
        ("Przychodnia Zdrowie", "Health", "11-50"),
        ("Szkoła Podstawowa nr 7", "Education", "51-200"),
        ("Meble Dąbrowscy", "Crafts", "11-50"),
        ("Browar Trzy Sowy", "Food", "11-50"),
    ),
    dialling="+48 71 30",
    jobs=("Dyrektorka", "Projektant", "Kierownik budowy", "Zakupy"),
    jobs_to_do=("Przypomnieć o ofercie", "Umówić pomiar", "Wysłać próbki", "Oddzwonić w sprawie rolet"),
    notes=(
        "Prosi o wycenę w dwóch wariantach: PCV i drewno.",
        "Decyzja po zebraniu wspólnoty.",
        "Termin montażu najwcześniej po feriach.",
    ),
)
SWITZERLAND = Land(
    country="Switzerland",
    code="CH",
    language="de",
    currency="CHF",
    top="ch",
    cities=(("Winterthur", "8400"), ("Basel", "4051"), ("Chur", "7000")),
    streets=("Seestrasse", "Kirchgasse", "Bergweg"),
    first=("Urs", "Reto", "Seraina", "Beat", "Nadja", "Flurina"),
    last=("Zürcher", "Caflisch", "Bürgi", "Meier", "Ammann"),
    firms=(
        ("Liegenschaften Bürgi AG", "Property management", "11-50"),
        ("Berghaus Piz Sole", "Hospitality", "1-10"),
        ("Ammann Holzbau", "Crafts", "11-50"),
        ("Klinik Seegarten", "Health", "201-1000"),
        ("Kantonsschule Rheinau", "Education", "51-200"),
        ("Käserei Meier", "Food", "1-10"),
    ),
    dialling="+41 52 20",
    jobs=("Inhaber", "Bauherrin", "Liegenschaftsverwalter", "Projektleiterin"),
    jobs_to_do=("Offerte nachfassen", "Termin fürs Ausmessen", "Muster senden"),
    notes=(
        "Minergie verlangt, U-Wert schriftlich bestätigen.",
        "Zufahrt nur mit kleinem Fahrzeug.",
        "Offerte in CHF inklusive Montage gewünscht.",
    ),
)
BRITAIN = Land(
    country="United Kingdom",
    code="GB",
    language="en",
    currency="GBP",
    top="uk",
    cities=(("York", "YO1 7HH"), ("Bath", "BA1 1LZ"), ("Norwich", "NR2 1TF")),
    streets=("Mill Lane", "Station Road", "High Street", "Orchard Close"),
    first=("Alice", "Daniel", "Priya", "Owen", "Grace", "Imran", "Harriet"),
    last=("Ashworth", "Patel", "Fletcher", "O’Neill", "Whitfield", "Barnes"),
    firms=(
        ("Ashworth Lettings", "Property management", "11-50"),
        ("The Old Vicarage Hotel", "Hospitality", "11-50"),
        ("Fletcher & Barnes Architects", "Architecture", "11-50"),
        ("Riverside Primary School", "Education", "51-200"),
        ("Whitfield Garden Centre", "Retail", "11-50"),
        ("St Anne’s Surgery", "Health", "11-50"),
        ("Harbour Brewing", "Food", "1-10"),
    ),
    dialling="+44 1904 55",
    jobs=("Owner", "Facilities manager", "Architect", "Office manager", "Head teacher"),
    jobs_to_do=("Chase the quote", "Book the survey", "Send glass samples", "Call back about shutters"),
    notes=(
        "Listed building: slim double glazing only, consent is with the council.",
        "Wants the work done in the summer holidays.",
        "Comparing us with two local fitters; our guarantee matters to them.",
        "Prefers to be called before nine.",
    ),
)
SWEDEN = Land(
    country="Sweden",
    code="SE",
    language="sv",
    currency="SEK",
    top="se",
    cities=(("Malmö", "211 20"), ("Göteborg", "411 03"), ("Växjö", "352 30")),
    streets=("Storgatan", "Björkvägen", "Hamngatan"),
    first=("Åsa", "Björn", "Elsa", "Göran", "Linnéa", "Nils"),
    last=("Lindqvist", "Sjöberg", "Åkesson", "Nyström", "Öberg"),
    firms=(
        ("Bostadsrättsföreningen Björken", "Housing", "11-50"),
        ("Sjöbergs Fastigheter", "Property management", "11-50"),
        ("Vandrarhemmet Fyren", "Hospitality", "1-10"),
        ("Öberg Arkitekter", "Architecture", "1-10"),
        ("Förskolan Nyckelpigan", "Education", "11-50"),
    ),
    dialling="+46 40 30",
    jobs=("Ordförande", "Förvaltare", "Arkitekt", "Ägare"),
    jobs_to_do=("Följ upp offerten", "Boka mätning", "Skicka prover"),
    notes=(
        "Vill ha tre glas och vitmålat trä.",
        "Styrelsen beslutar på nästa möte.",
        "Leverans tidigast i maj.",
    ),
)
SUPPLIERS = (
    ("Böhmerglas Werke", GERMANY, "Glass", "201-1000", "supplier"),
    ("Nordholz Profile", SWEDEN, "Timber", "51-200", "supplier"),
    ("Beschlag Union", SWITZERLAND, "Fittings", "51-200", "supplier"),
    ("Rolety Śląskie", POLAND, "Shutters", "51-200", "supplier"),
    ("Energieberatung Sachsenhaus", GERMANY, "Consulting", "1-10", "partner"),
    ("Maler Kunterbunt", GERMANY, "Crafts", "1-10", "partner"),
    ("Toits et Façades Keller", FRANCE, "Construction", "11-50", "partner"),
    ("Talblick Beteiligungen", GERMANY, "Finance", "1-10", "owner"),
    ("Handwerkskammer Mittelland", GERMANY, "Association", "51-200", "other"),
    ("Glaskontor Oderbruch", GERMANY, "Glass", "11-50", "supplier"),
    ("Transporte Wölfl", GERMANY, "Logistics", "11-50", "supplier"),
    ("Fenêtres Solidaires", FRANCE, "Association", "11-50", "other"),
)
LANDS = (GERMANY, FRANCE, POLAND, SWITZERLAND, BRITAIN, SWEDEN)
WORK = {
    "de": (
        "{n} Fenster",
        "Haustür und {n} Fenster",
        "Schallschutzfenster",
        "Balkontüren",
        "Wintergarten",
        "Dachfenster",
    ),
    "fr": ("{n} fenêtres", "Porte d’entrée et {n} fenêtres", "Baies vitrées", "Volets et {n} fenêtres", "Véranda"),
    "pl": ("{n} okien", "Drzwi i {n} okien", "Okna dachowe", "Ogród zimowy"),
    "en": ("{n} windows", "Front door and {n} windows", "Sash windows", "Conservatory", "Bifold doors"),
    "sv": ("{n} fönster", "Ytterdörr och {n} fönster", "Glasveranda", "Balkongdörrar"),
}
CALLS = {
    "de": ("Rückfrage zum Angebot", "Liefertermin abgestimmt", "Kurz zum Schallschutz"),
    "fr": ("Question sur le devis", "Délai de livraison", "Point sur le chantier"),
    "pl": ("Pytanie o ofertę", "Termin dostawy", "Ustalenia z budowy"),
    "en": ("Question on the quote", "Delivery date agreed", "Quick word about glazing"),
    "sv": ("Fråga om offerten", "Leveranstid", "Kort om ljudisolering"),
}
MEETINGS = {
    "de": ("Aufmaß vor Ort", "Musterausstellung", "Angebot durchsprechen"),
    "fr": ("Prise de mesures sur place", "Visite du showroom", "Présentation du devis"),
    "pl": ("Pomiar na miejscu", "Wizyta w salonie", "Omówienie oferty"),
    "en": ("Survey on site", "Showroom visit", "Going through the quote"),
    "sv": ("Mätning på plats", "Besök i utställningen", "Genomgång av offerten"),
}
EMAILS = {
    "de": ("Ihr Angebot", "Zeichnungen und Maße", "Nachtrag zum Angebot"),
    "fr": ("Votre devis", "Plans et cotes", "Complément au devis"),
    "pl": ("Oferta", "Rysunki i wymiary", "Uzupełnienie oferty"),
    "en": ("Your quote", "Drawings and sizes", "An addition to the quote"),
    "sv": ("Er offert", "Ritningar och mått", "Tillägg till offerten"),
}
