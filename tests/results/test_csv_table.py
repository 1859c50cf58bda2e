"""Tables as CSV: what a spreadsheet would run is text."""

from __future__ import annotations

import csv
import io

import pytest

from convscope.results.csv_table import to_csv


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_are_inert(cell):
    text = to_csv([{"label": cell, cell: 1}]).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [["label", f"'{cell}"], [f"'{cell}", "1"]]


def test_numbers_stay_numbers():
    rows = [{"value": -1.5, "label": "a=b"}, {"value": 2}]
    assert to_csv(rows).decode().splitlines() == ["value,label", "-1.5,a=b", "2,"]


def test_lone_surrogates_can_be_written():
    assert to_csv([{"photo": "a\udcff.png"}]) == b"photo\r\na\\udcff.png\r\n"
