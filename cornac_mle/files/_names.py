"""What people call their columns: without case, blanks, punctuation and types (`:token`)."""

import re

# In tiers: a name of an earlier one is meant if there are several.
USER = (
    {
        *("user", "userid", "users", "u", "uid", "usr", "userkey", "userindex", "username"),
        *("visitor", "visitorid", "reviewer", "reviewerid", "member", "memberid"),
        *("customer", "customerid", "customerno", "customernumber", "customerkey", "cust"),
        *("custid", "client", "clientid", "buyer", "buyerid", "account", "accountid", "person"),
        *("personid", "subscriberid", "reader", "readerid", "player", "playerid"),
        *("household", "householdid", "householdkey", "hhid", "hshdnum"),
        *("kunde", "kundeid", "kundennummer", "nutzer", "nutzerid", "benutzer", "cliente"),
        *("utilisateur",),
    },
    {"reviewername", "profilename", "reviewprofilename", "nickname", "author", "authorid"},
    {
        *("basket", "basketid", "order", "orderid", "session", "sessionid", "transaction"),
        *("transactionid", "invoice", "invoiceid", "invoiceno", "ticket", "receipt"),
    },
)
ITEM_IDS = {
    *("movie", "product", "track", "song", "artist", "book", "business", "venue", "location"),
    *("place", "poi", "game", "app", "anime", "video", "joke", "article", "news", "paper"),
    *("document", "doc", "bookmark", "beer", "recipe", "course", "hotel", "show", "page"),
    *("content", "url", "film", "restaurant", "artikel", "produkt", "profile"),
}
ITEM = (
    {"item", "itemid", "items", "i", "iid", "itemkey", "itemindex"},
    {
        *(f"{noun}id" for noun in ITEM_IDS),
        *("asin", "isbn", "stockcode", "sku", "beerbeerid", "upc", "ean", "artikelnummer"),
        *("productno", "productnumber", "productcode", "productkey", "itemno", "itemnumber"),
        *("itemcode", "movielensid"),
    },
    {*ITEM_IDS, "parentasin", "producto", "produit"},
    {"title", "movietitle", "itemname", "productname", "artistname", "trackname", "booktitle"},
)
RATING = (
    {"rating", "ratings"},
    {
        *("rate", "overall", "stars", "star", "score", "scores", "bookrating", "movierating"),
        *("userrating", "reviewoverall", "reviewscore", "reviewrating", "preference"),
        *("preferences", "bewertung"),
    },
    {"weight", "plays", "playcount", "listens", "value", "values"},
)
TIME = (
    {"timestamp", "timestamps", "unixreviewtime", "unixtime", "ts", "ratingtimestamp"},
    {"datetime", "time", "utctime", "eventtime", "timestampms"},
    {
        *("date", "invoicedate", "reviewtime", "reviewdate", "transactiondt", "orderdate"),
        *("transactiondate", "createdat", "created", "dateadded", "checkintime"),
        *("visittime", "day", "datum"),
    },
)
TIERS = {"user": USER, "item": ITEM, "rating": RATING, "timestamp": TIME}
TYPE = re.compile(r":(token|float|token_seq|float_seq)$")


def plain(name: str) -> str:
    """Strip a name to what is compared.

    >>> plain("User-ID"), plain("item_id:token")
    ('userid', 'itemid')
    """
    return "".join(filter(str.isalnum, TYPE.sub("", name.strip()))).lower()


def candidates(names: list[str], role: str) -> list[int]:
    """Return the positions of the columns of the first tier that has any.

    >>> candidates(["orderId", "Customer", "product"], "user")
    [1]
    """
    stripped = [plain(name) for name in names]
    for tier in TIERS[role]:
        if found := [at for at, name in enumerate(stripped) if name in tier]:
            return found
    return []


def is_named(names: list[str]) -> bool:
    """Say whether a line names a column of users or items, or has RecBole's types.

    >>> is_named(["uid", "iid"]), is_named(["196", "242"])
    (True, False)
    """
    typed = all(TYPE.search(name.strip()) for name in names)
    return typed or bool(candidates(names, "user") or candidates(names, "item"))
