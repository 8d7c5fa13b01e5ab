"""Words in names of tables and columns that say something about keys, in several languages."""

from __future__ import annotations

IDS = frozenset(
    [
        "id",
        "ids",
        "key",
        "keys",
        "pk",
        "fk",
        "sk",
        "nr",
        "no",
        "num",
        "number",
        "nummer",
        "numero",
        "numer",
        "code",
        "codes",
        "kode",
        "codigo",
        "cod",
        "uuid",
        "guid",
        "ref",
        "uid",
        "oid",
        "kennung",
        "schluessel",
        "identifiant",
        "identificador",
        "identifier",
        "identificativo",
        "idx",
        "idn",
        "hash",
        "kod",
        "klucz",
        "sleutel",
    ]
)
"""Words that say that the values name something."""

ENDINGS = ("nummer", "number", "numero", "schluessel", "kennung", "codigo", "uuid", "guid", "code", "kode", "key")
"""Endings of a word that say the same: ``artikelnummer``, ``custkey``."""

SHORT_ENDINGS = ("nr", "id", "no", "cod", "num", "fk", "pk")
BEGINNINGS = ("id", "fk", "cod", "num", "nr")

AFFIXES = frozenset(
    [
        "tbl",
        "table",
        "tab",
        "t",
        "dim",
        "fact",
        "fct",
        "stg",
        "src",
        "raw",
        "data",
        "dataset",
        "master",
        "mst",
        "list",
        "file",
        "export",
        "dump",
        "tb",
        "vw",
        "lookup",
        "lkp",
        "ref",
        "all",
        "rel",
        "xref",
        "link",
        "map",
    ]
)
"""Words in names of tables that say nothing about what the rows are."""

SELF = frozenset(
    [
        "parent",
        "reports",
        "reportsto",
        "manager",
        "supervisor",
        "boss",
        "reply",
        "replyto",
        "prev",
        "previous",
        "next",
        "superior",
        "mother",
        "father",
        "ancestor",
        "root",
        "eltern",
        "vorgesetzter",
        "vorgesetzte",
        "vorgaenger",
        "nachfolger",
        "chef",
        "padre",
        "jefe",
        "pere",
        "superieur",
        "responsable",
        "lead",
        "leader",
        "successor",
        "predecessor",
        "referrer",
        "original",
        "uebergeordnet",
        "ober",
        "superior",
        "madre",
        "mere",
        "pai",
        "supervisado",
        "replaces",
        "belongs",
        "duplicate",
    ]
)
"""Words for a row of the same table."""

SYNONYMS = (
    "customer client kunde cliente klant buyer kaeufer acheteur comprador klient debitor payer",
    "employee staff rep manager mitarbeiter empleado user person supervisor boss chef agent salesperson salesman"
    " bearbeiter benutzer usuario employe utilisateur owner author creator assignee worker medewerker funcionario"
    " vendedor vertreter technician",
    "shipper carrier via versand spediteur transportista transporteur courier",
    "supplier vendor lieferant proveedor fournisseur fornecedor leverancier kreditor",
    "product item article artikel producto produit produto part teil ware prodotto",
    "order bestellung pedido commande auftrag ordine bestelling zamowienie",
    "category kategorie categoria categorie rubrik group gruppe",
    "country land pais pays paese nation",
    "city stadt ciudad ville cidade citta ort town",
    "department dept abteilung departamento departement bereich",
    "invoice rechnung factura facture fatura bill",
    "warehouse lager almacen entrepot deposito store",
    "store shop filiale tienda magasin loja branch standort location site",
    "company firma empresa entreprise azienda bedrijf organization organisation",
    "project projekt proyecto projet progetto projeto",
    "student schueler estudiante etudiant aluno pupil",
    "teacher lehrer profesor professeur instructor lecturer",
    "course kurs curso cours class",
    "doctor arzt medico medecin physician",
    "patient paciente",
    "account konto cuenta compte conta",
    "address adresse direccion endereco indirizzo",
    "payment zahlung pago paiement pagamento",
    "contract vertrag contrato contrat",
    "vehicle fahrzeug vehiculo car auto",
    "book buch libro livre",
    "airport origin destination departure arrival flughafen aeropuerto",
    "team mannschaft equipo equipe home away winner",
    "currency waehrung moneda devise",
    "language sprache idioma langue",
)
"""Words that may mean the same thing, or a role of it."""

GENERIC = frozenset(
    [
        "name",
        "title",
        "description",
        "label",
        "status",
        "type",
        "state",
        "text",
        "comment",
        "comments",
        "note",
        "notes",
        "value",
        "date",
    ]
)
"""Names of columns that many tables have, and that refer to nothing."""
