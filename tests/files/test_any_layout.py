"""Files as people have them: layouts of public data sets are read right, or refused by name."""

import pytest

from cornac_mle.files import any_layout
from cornac_mle.files.any_layout import read_interactions


def columns(text, *names):
    """Make the expected table of one row a line: user item [rating] [timestamp]."""
    rows = [line.split("~") for line in text.splitlines()]
    table = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    if "rating" in table:
        table["rating"] = [float(value) for value in table["rating"]]
    return table


UIRT = ("user", "item", "rating", "timestamp")
UIR, UI, UIT = UIRT[:3], UIRT[:2], ("user", "item", "timestamp")

# name: (file, text, options, expected columns, rows as user~item~..., a phrase of what is assumed)
LAYOUTS = {
    "MovieLens 100K": (
        "u.data",
        "196\t242\t3\t881250949\n186\t302\t3\t891717742\n",
        {},
        UIRT,
        "196~242~3~881250949\n186~302~3~891717742",
        "rating = column 3",
    ),
    "MovieLens 1M": (
        "ratings.dat",
        "1::1193::5::978300760\n1::661::3::978302109\n",
        {},
        UIRT,
        "1~1193~5~978300760\n1~661~3~978302109",
        "read '::'-separated",
    ),
    "MovieLens 25M": (
        "ratings.csv",
        "userId,movieId,rating,timestamp\r\n1,296,5.0,1147880044\r\n1,306,3.5,1147868817\r\n",
        {},
        UIRT,
        "1~296~5~1147880044\n1~306~3.5~1147868817",
        "item = movieId",
    ),
    "Amazon 2014 ratings only": (
        "ratings_Beauty.csv",
        "A39HTATAQ9V7YF,0205616461,5.0,1369699200\nA3JM6GV9MNOF9X,0558925278,3.0,1355443200\n",
        {},
        UIRT,
        "A39HTATAQ9V7YF~0205616461~5~1369699200\nA3JM6GV9MNOF9X~0558925278~3~1355443200",
        "user = column 1",
    ),
    "Amazon 2018 ratings only, items first": (
        "All_Beauty.csv",
        "0143026860,A1V6B6TNIC10QE,1.0,1424304000\nB00006L9LC,A2XDLVQXCGH1NP,4.0,1418860800\n",
        {},
        UIRT,
        "A1V6B6TNIC10QE~0143026860~1~1424304000\nA2XDLVQXCGH1NP~B00006L9LC~4~1418860800",
        "user = column 2",
    ),
    "Amazon 5-core": (
        "reviews.json",
        '{"reviewerID": "A1", "asin": "0000013714", "reviewerName": "J", "helpful": [0, 0], '
        '"overall": 5.0, "unixReviewTime": 1393545600, "reviewTime": "02 28, 2014"}\n'
        '{"reviewerID": "A2", "asin": "B001", "helpful": [0, 0], "overall": 1.0, '
        '"unixReviewTime": 1393545601, "reviewTime": "02 28, 2014"}\n',
        {},
        UIRT,
        "A1~0000013714~5~1393545600\nA2~B001~1~1393545601",
        "rating = overall",
    ),
    "RecBole": (
        "ml.inter",
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t7\t4\t881250949\n",
        {},
        UIRT,
        "1~7~4~881250949",
        "user = user_id:token",
    ),
    "Last.fm 360K": (
        "usersha1-artmbid-artname-plays.tsv",
        '000063d3f\t3bd73256\tbetty "blowtorch\t2137\n000063d3f\tf2fb0ff0\t"die Ärzte"\t1099\n'
        "0000c176\t\tno id\t7\n",
        {"rating_column": 4},
        UIR,
        "000063d3f~3bd73256~2137\n000063d3f~f2fb0ff0~1099",
        "double quotes are text",
    ),
    "Last.fm HetRec": (
        "user_artists.dat",
        "userID\tartistID\tweight\n2\t51\t13883\n2\t52\t11690\n",
        {},
        UIR,
        "2~51~13883\n2~52~11690",
        "rating = weight",
    ),
    "Book-Crossing": (
        "BX-Book-Ratings.csv",
        '"User-ID";"ISBN";"Book-Rating"\r\n"276725";"034545104X";"0"\r\n"276726";"é155";"5"\r\n',
        {},
        UIR,
        "276725~034545104X~0\n276726~é155~5",
        "encoding latin-1",
    ),
    "Netflix": (
        "combined_data_1.txt",
        "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n885013,4,2005-10-19\n",
        {},
        UIRT,
        "1488844~1~3~2005-09-06\n822109~1~5~2005-05-13\n885013~2~4~2005-10-19",
        "a line such as '1:' gives the item of those below it",
    ),
    "Jester": (
        "jester-data-1.csv",
        "3,-7.82,8.79,99,1\n1,99,99,-0.29,99\n3,4.08,99,9,-9.9\n",
        {"wide": True},
        UIR,
        "1~1~-7.82\n1~2~8.79\n1~4~1\n2~3~-0.29\n3~1~4.08\n3~3~9\n3~4~-9.9",
        "99 = no rating (5 cells)",
    ),
    "Gowalla check-ins": (
        "Gowalla_totalCheckins.txt",
        "0\t2010-10-19T23:55:27Z\t30.2359\t-97.7951\t22847\n"
        "1\t2010-10-18T22:17:43Z\t30.2691\t-97.7493\t420315\n",
        {"item_column": 5},
        UI,
        "0~22847\n1~420315",
        "not read: column 2, column 3, column 4",
    ),
    "Retailrocket": (
        "events.csv",
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n",
        {},
        UIT,
        "257597~355908~1433221332117",
        "not read: event, transactionid",
    ),
    "Steam 200K": (
        "steam-200k.csv",
        '151603712,"The Elder Scrolls V, Skyrim",purchase,1.0,0\n151603712,Fallout 4,play,87.0,0\n',
        {"item_column": 2},
        UI,
        "151603712~The Elder Scrolls V, Skyrim\n151603712~Fallout 4",
        "user = column 1",
    ),
    "Steam reviews (Python dictionaries)": (
        "steam_reviews.json",
        "{u'username': u'Chaos Syren', u'hours': 0.1, u'product_id': u'725280', "
        "u'date': u'2017-12-17'}\n",
        {},
        UIT,
        "Chaos Syren~725280~2017-12-17",
        "item = product_id",
    ),
    "Yelp": (
        "review.json",
        '{"review_id": "KU", "user_id": "mh_", "business_id": "XQ", "stars": 3.0, "useful": 0, '
        '"text": "If, you", "date": "2018-07-07 22:09:11"}\n\n',
        {},
        UIRT,
        "mh_~XQ~3~2018-07-07 22:09:11",
        "item = business_id",
    ),
    "Foursquare NYC": (
        "dataset_TSMC2014_NYC.txt",
        "470\t49bbd6c0\t4bf58dd8\tArts & Crafts Store\t40.7\t-74.0\t-240\t"
        "Tue Apr 03 18:00:09 +0000 2012\n",
        {"item_column": "2"},
        UI,
        "470~49bbd6c0",
        "user = column 1",
    ),
    "Epinions": (
        "ratings_data.txt",
        "1 100 4\n1 101  5 \n22435 108 4\n",
        {},
        UIR,
        "1~100~4\n1~101~5\n22435~108~4",
        "read blank-separated",
    ),
    "FilmTrust": (
        "ratings.txt",
        "1 1 2\n1 2 4\n2 1 3.5\n",
        {},
        UIR,
        "1~1~2\n1~2~4\n2~1~3.5",
        "no header (first line '1, 1, 2')",
    ),
    "Ta-Feng": (
        "D01",
        "Transaction date;Customer ID;Age;Residence Area;Product subclass;Product ID;Amount;Asset;"
        "Sales price\n2001-01-01 00:00:00;00141833  ;F ;F ;130207;4710105011011;2;44;52\n",
        {},
        UIT,
        "00141833  ~4710105011011~2001-01-01 00:00:00",
        "1 users have blanks around them, kept as written",
    ),
    "Instacart": (
        "order_products__train.csv",
        "order_id,product_id,add_to_cart_order,reordered\n1,49302,1,1\n36,39612,1,0\n",
        {},
        UI,
        "1~49302\n36~39612",
        "user = order_id",
    ),
    "Online Retail": (
        "OnlineRetail.csv",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "536365,85123A,WHITE \xa3 HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom\n"
        "536414,22139,,56,12/1/2010 11:52,0,,United Kingdom\n",
        {},
        UIT,
        "17850~85123A~12/1/2010 8:26",
        "no ratings: every row counts as 1",
    ),
    "CiteULike": (
        "user-info.csv",
        "user.id;doc.id;rating\n0;495;1\n0;1631;1\n",
        {},
        UIR,
        "0~495~1\n0~1631~1",
        "item = doc.id",
    ),
    "CiteULike lists": (
        "users.dat",
        "2 495 1631\n3 493 942 1519\n1 8\n4 1 2 3 4\n",
        {"wide": True},
        UI,
        "1~495\n1~1631\n2~493\n2~942\n2~1519\n3~8\n4~1\n4~2\n4~3\n4~4",
        "column 1 counts the items: left out; user = the number of the line",
    ),
    "Anime": (
        "rating.csv",
        "user_id,anime_id,rating\n1,20,-1\n3,20,8\n",
        {},
        UIR,
        "1~20~-1\n3~20~8",
        "item = anime_id",
    ),
    "MIND clicks": (
        "clicks.tsv",
        "uid\tnews_id\tclicked\ttime\nU13740\tN55189\t1\t11/11/2019 9:05:58 AM\n",
        {},
        UIT,
        "U13740~N55189~11/11/2019 9:05:58 AM",
        "not read: clicked",
    ),
    "MIND behaviours": (
        "behaviors.tsv",
        "u\thistory\nU13740\tN55189 N42782 N34694\nU91836\tN31739 N6072\n",
        {"wide": True},
        UI,
        "U13740~N55189\nU13740~N42782\nU13740~N34694\nU91836~N31739\nU91836~N6072",
        "every item of a list is a row",
    ),
    "Douban": (
        "DMSC.csv",
        "ID,Movie_Name_EN,Movie_Name_CN,Crawl_Date,Number,Username,Date,Star,Comment,Like\n"
        '0,Avengers,复仇者联盟2,2017-01-22,1,然潘,2015-05-13,3,"连奥创, 都",2404\n',
        {"item_column": "Movie_Name_CN"},
        UIRT,
        "然潘~复仇者联盟2~3~2015-05-13",
        "rating = Star",
    ),
    "Delicious": (
        "user_taggedbookmarks-timestamps.dat",
        "userID\tbookmarkID\ttagID\ttimestamp\n8\t1\t1\t1289255362000\n",
        {},
        UIT,
        "8~1~1289255362000",
        "not read: tagID",
    ),
    "Ciao": (
        "movie-ratings.txt",
        "1,1,2,1,5,2013-12-30\n2,1,2,2,4.5,2011-04-01\n",
        {"rating_column": 5},
        UIR,
        "1~1~5\n2~1~4.5",
        "item = column 2",
    ),
    "Dunnhumby": (
        "transaction_data.csv",
        "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE\n2375,26984851472,1,1004906,1,"
        "1.39\n",
        {},
        UIT,
        "2375~1004906~1",
        "user = household_key",
    ),
    "LightGCN": (
        "train.txt",
        "0 0 1 2\n1 40 3\n2 7 \n3 1 2 3 4 5\n",
        {"wide": True},
        UI,
        "0~0\n0~1\n0~2\n1~40\n1~3\n2~7\n3~1\n3~2\n3~3\n3~4\n3~5",
        "user = column 1",
    ),
    "Groceries baskets": (
        "groceries.csv",
        "citrus fruit,margarine\nyogurt\nwhole milk,butter,rice\nyogurt\n",
        {"wide": True},
        UI,
        "1~citrus fruit\n1~margarine\n2~yogurt\n3~whole milk\n3~butter\n3~rice\n4~yogurt",
        "user = the number of the line (--user-column 1 if the first field is it)",
    ),
    "A pivot table": (
        "pivot.csv",
        "user,01,02,03\nu1,5,,3\nu2,,,\nu3,,1.5,\n",
        {"wide": True},
        UIR,
        "u1~01~5\nu1~03~3\nu3~02~1.5",
        "a wide table: items = header",
    ),
    "KONECT": (
        "out.movielens",
        "% bip weighted\n1 1 5 874965758\n1 2 3 876893171\n",
        {},
        UIRT,
        "1~1~5~874965758\n1~2~3~876893171",
        "read blank-separated",
    ),
    "written by R": (
        "r.txt",
        '"user" "item" "rating"\n"1" "u 1" "i1" 3\n"2" "u2" "i1" 4\n',
        {},
        UIR,
        "u 1~i1~3\nu2~i1~4",
        "not read: column 1",
    ),
    "decimal commas, leading zeros": (
        "umsatz.csv",
        "\ufeffKunde;Artikel;Bewertung\n007;0012;3,5\n7;12;-4\n",
        {},
        UIR,
        "007~0012~3.5\n7~12~-4",
        "decimal commas: 3,5 is 3.5",
    ),
    "columns without known names": (
        "k.csv",
        "kennung,ware,tag\nk1,w1,2020-01-01\nk2,w1,2020-01-02\n",
        {"user_column": "kennung", "item_column": "WARE"},
        UI,
        "k1~w1\nk2~w1",
        "not read: tag",
    ),
    "three columns, time last, no header": (
        "log.csv",
        "a,x,2020-01-01\nb,y,2020-01-02\n",
        {},
        UIT,
        "a~x~2020-01-01\nb~y~2020-01-02",
        "time = column 3",
    ),
    "blanks behind commas": (
        "blanks.csv",
        "user, item, rating\n1, 2, 3\n1, 3, 4\n",
        {},
        UIR,
        "1~2~3\n1~3~4",
        "rating = rating",
    ),
    "unknown times among times": (
        "zero.csv",
        "1,2,0\n1,3,1400000000\n1,4,1400000001\n",
        {},
        UIT,
        "1~2~0\n1~3~1400000000\n1~4~1400000001",
        "time = column 3",
    ),
    "a rating that is a time": (
        "time.csv",
        "user,item,value\n1,2,978300760\n1,3,978300761\n",
        {},
        UIT,
        "1~2~978300760\n1~3~978300761",
        "value holds times, not ratings",
    ),
}


@pytest.fixture(params=["pyarrow", "line by line"])
def reader(request, monkeypatch):
    """Read in both ways."""
    if request.param == "line by line":
        monkeypatch.setattr(any_layout, "read_fast", lambda *_: None)
    return request.param


def encoded(name, text):
    return text.encode("latin-1" if name in ("Book-Crossing", "Online Retail") else "utf-8")


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_public_data_sets_are_read_right(tmp_path, reader, name):
    file, text, options, names, rows, phrase = LAYOUTS[name]
    path = tmp_path / (file)
    path.write_bytes(encoded(name, text))
    read = read_interactions(path, **options)
    expected = columns(rows, *names)
    if "timestamp" in expected and read.frame["timestamp"].dtype != object:
        expected["timestamp"] = [float(value) for value in expected["timestamp"]]
    assert read.frame.to_dict("list") == expected
    assert phrase in "; ".join(read.assumed)
    assert read.frame["user"].dtype == read.frame["item"].dtype == object


def test_at_most_two_of_the_layouts_need_more_than_one_option():
    assert len(LAYOUTS) >= 28
    assert sum(len(layout[2]) > 1 for layout in LAYOUTS.values()) <= 2


NAMED = [name for name, layout in LAYOUTS.items() if layout[2]]


@pytest.mark.parametrize("name", NAMED)
def test_a_layout_that_cannot_be_known_is_refused_and_the_option_is_named(tmp_path, name):
    file, text, options, *_ = LAYOUTS[name]
    (tmp_path / file).write_bytes(encoded(name, text))
    with pytest.raises(ValueError, match=r"--(item-column|wide)") as caught:
        read_interactions(tmp_path / file)
    message = str(caught.value)
    assert "\n" not in message
    assert file in message
    for option in options:
        if option != "rating_column":  # any of the three says that the order is the usual one
            assert f"--{option.replace('_', '-')}" in message


def test_pyarrow_is_used_where_the_layout_allows_it(tmp_path, monkeypatch):
    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(any_layout, "read_carefully", fail)
    for name in ("MovieLens 1M", "MovieLens 25M", "Book-Crossing", "FilmTrust", "Ta-Feng"):
        (tmp_path / name).write_bytes(encoded(name, LAYOUTS[name][1]))
        assert len(read_interactions(tmp_path / name).frame) > 0
