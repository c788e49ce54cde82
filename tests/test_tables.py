"""Tables of labels as spreadsheets, pandas and label tools write them."""

import logging
from pathlib import Path

import pytest

from wsss.data.tables import labels_in, read_table
from wsss.errors import UserError

CAT_DOG = (("a.jpg", ("cat",)), ("b.jpg", ("cat", "dog")), ("c.jpg", ()))


def rows_of(path: Path, content: str | bytes, **columns: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tuple((row.image, row.labels) for row in read_table(path, **columns))


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\r\nimage;labels\r\na.jpg;cat\r\nb.jpg;cat,dog\r\nc.jpg;\r\n",
        '"sep=;"\nimage;labels\na.jpg;cat\nb.jpg;cat|dog\nc.jpg;\n',
        "image;labels;;\na.jpg;cat;;\nb.jpg;cat,dog;;\nc.jpg;;;\n",
        "image,labels\na.jpg,cat,,\nb.jpg,cat|dog,,,\nc.jpg,\n",
        ",image,labels\n0,a.jpg,cat\n1,b.jpg,cat;dog\n2,c.jpg,\n",
        "filename,label\na.jpg,cat\nb.jpg,cat;dog\nc.jpg,\n",
        "File_Name\tLabels\na.jpg\tcat\nb.jpg\tcat|dog\nc.jpg\t\n",
        "image,label\nb.jpg,cat\na.jpg,cat\nb.jpg,dog\nb.jpg,cat\nc.jpg,\n",
        "image,cat,dog\na.jpg,1,0\nb.jpg,1,1\nc.jpg,0,0\n",
        "filename, cat, dog\na.jpg, 1.0, 0.0\nb.jpg, True, x\nc.jpg, ,False\n",
        "image,labels\na.jpg,['cat']\nb.jpg,\"['cat', 'dog']\"\nc.jpg,[]\n",
        'image,labels\na.jpg,"[""cat""]"\nb.jpg,"[""cat"", ""dog""]"\nc.jpg,[]\n',
        "image,labels\na.jpg,['cat']\nb.jpg,['cat' 'dog']\nc.jpg,()\n",
        "image;labels\na.jpg;cat\nb.jpg;[cat, dog]\nc.jpg;{}\n",
        "image;labels\na.jpg;{'cat': 1, 'dog': 0}\nb.jpg;{\"cat\": true, \"dog\": true}\nc.jpg;{'cat': 0}\n",
        "sep=;\rimage;labels\ra.jpg;cat\rb.jpg;cat,dog\rc.jpg;\r",
        "image,cat,dog\na.jpg,1,-1\nb.jpg,1,1\nc.jpg,-1,-1\n",
        "image;cat;dog\na.jpg;1,0;0,0\nb.jpg;Y;✓\nc.jpg;NaN;n\n",
        "\n\nimage|labels\na.jpg|cat\nb.jpg|cat;dog\nc.jpg|\n",
        'image,labels\na.jpg,cat\nb.jpg,"cat\r\ndog"\nc.jpg,\n',
    ],
)
def test_one_table_in_many_forms(tmp_path: Path, content: str) -> None:
    assert sorted(rows_of(tmp_path / "l.csv", content)) == sorted(CAT_DOG)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_encodings_of_spreadsheets(tmp_path: Path, encoding: str, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("wsss").propagate = True
    caplog.set_level(logging.INFO, "wsss")
    content = "image;labels\nMüller.jpg;Käfer\n".encode(encoding)
    assert rows_of(tmp_path / "l.csv", content) == (("Müller.jpg", ("Käfer",)),)
    told = {"utf-8-sig": "", "cp1252": "is not UTF-8, read as Windows-1252"}
    assert told.get(encoding, f"read as {encoding[:6].upper()}") in caplog.text and (
        encoding == "utf-8-sig"
    ) == (not caplog.text)


def test_names_are_compared_in_one_form(tmp_path: Path) -> None:
    composed, split = "K\u00e4fer", "Ka\u0308fer"
    assert rows_of(tmp_path / "l.csv", f"image,labels\n{split}.jpg,{split}\n{composed}.jpg,{composed}\n") == (
        (f"{composed}.jpg", (composed,)),
    )


def test_columns_may_be_named(tmp_path: Path) -> None:
    content = "id,path,tags,labels\n1,a.jpg,cat,x\n"
    named = rows_of(tmp_path / "l.csv", content, image_column="Path", label_column="tags")
    assert named == (("a.jpg", ("cat",)),)
    with pytest.raises(
        UserError, match=r"l.csv: has no column 'file' \(image_column\); it has id, path, tags"
    ):
        read_table(tmp_path / "l.csv", image_column="file")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,class\na,b\n", "the columns are file, class; they must be image and labels.*--image-column"),
        ("image,cat,dog\na,1,2\n", "the columns are image, cat, dog; they must be"),
        ("image,labels,labels\na,b,c\n", "labels stands there twice"),
        ("image,labels,\na.jpg,cat,dog\n", r"l.csv:2: column 3 has no name but holds 'dog'; name it"),
        ("sep=;\nimage;labels\na;b;c\n", "l.csv:3: 3 cells, not 2"),
        ("image,labels\n,cat\n", "l.csv:2: names no image"),
        (b"PK\x03\x04rest", "an Excel workbook; save it as CSV"),
        (b"\xd0\xcf\x11\xe0rest", "an Excel workbook; save it as CSV"),
        ("image,cat,dog\na,1,0\nb,1,maybe\n", r"a column of 0 and 1 per class \(line 3, dog: 'maybe'\)"),
        ("{" + "x" * 1000 + "}\n1\n", "the columns are .{200}; they must be"),
        (b"image,labels\n\x81,a", "not a text file in UTF-8, UTF-16 or Windows-1252"),
        ('image,labels\na,"b\n' + "x" * 200_000, "l.csv:.*not a CSV file"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        rows_of(tmp_path / "l.csv", content)


def test_an_image_in_two_splits_has_two_entries(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("image,labels,split\na,cat,train\na,dog,train\na,cat,val\n")
    found = [(row.line, row.labels, row.split) for row in read_table(tmp_path / "l.csv")]
    assert found == [(2, ("cat", "dog"), "train"), (4, ("cat",), "val")]


def test_labels_of_a_cell() -> None:
    assert labels_in(" a ; b|c,d ") == ["a", "b", "c", "d"]
    assert labels_in("['it''s']") == ["it", "s"] and labels_in('["it\'s", "b"]') == ["it's", "b"]
    assert labels_in("(a)") == ["a"] and labels_in("nothing []") == ["nothing []"]
