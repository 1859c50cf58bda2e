"""The exported site: a page for every unit, whole, linked, escaped, the same each time."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import torch

import convscope
from convscope import atlas
from convscope.atlas.site.pages import format_number
from convscope.atlas.unit_cards.card_rows import read_changes
from tests.small_atlas import SMALL, state
from tests.small_networks import Trunk


class Links(HTMLParser):
    """What a page refers to, and what its pictures say to those who cannot see them."""

    def __init__(self):
        super().__init__()
        self.found, self.silent = [], 0

    def handle_starttag(self, tag, attrs):
        actual = dict(attrs)
        self.found += [actual[name] for name in ("href", "src") if actual.get(name)]
        self.silent += tag == "img" and "alt" not in actual


def broken(site: Path) -> list[str]:
    """Links that lead nowhere, or outside."""
    actual = []
    for page in site.rglob("*.html"):
        links = Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert not links.silent, page
        for link in links.found:
            parts = urlsplit(link)
            if parts.scheme == "data" or (not parts.path and parts.fragment):
                continue
            if parts.scheme or parts.netloc or not (page.parent / unquote(parts.path)).is_file():
                actual.append(f"{page.relative_to(site)} -> {link}")
    return actual


@pytest.fixture
def site(built, model, photos, tmp_path):
    atlas.examples(model, str(photos), str(built), layers="first,third", k=3, samples=2, batch=4)
    atlas.export(str(built), str(tmp_path / "site"))
    return tmp_path / "site"


def test_every_unit_has_a_page_and_every_link_leads_somewhere(site, built):
    assert broken(site) == []
    opened = atlas.open(str(built))
    for layer in opened.layers():
        pages = {
            int(page.stem)
            for page in next(site.glob(f"*/{layer}")).glob("*.html")
            if page.stem.isdigit()
        }
        assert pages == {row["unit"] for row in opened.rows(layer)}


def test_a_units_page_shows_all_there_is(site):
    page = next(site.glob("*/first/1.html")).read_text(encoding="utf-8")
    for part in (
        "first:1",
        "Photos that excite it most",
        "A sample over its range",
        "<svg",
        "Score",
        "Recipe",
        "cats",
    ):
        assert part in page, part


def test_the_labels_of_the_score_curve_are_whole(site):
    """A label ends left of the axis; the longest, a small negative one, must not begin outside of
    the picture, where it would lose its minus."""
    page = next(site.glob("*/first/1.html")).read_text(encoding="utf-8")
    svg = re.search(r'<svg viewBox="(-?\d+) .*?</svg>', page, re.DOTALL)
    ends = [float(x) for x in re.findall(r'<text x="(\d+)" [^>]*text-anchor="end"', svg[0])]
    longest = max(len(format_number(-1.234567 * 10.0**power)) for power in range(-9, 7))
    letter = 6.5  # units of a letter of 11 px, at most
    assert longest >= 8
    assert min(ends) - longest * letter >= float(svg[1])


def test_a_units_page_shows_its_card(site, built, model, photos):
    options = {"layers": "first,third", "judge": "none", "batch": 8}
    atlas.cards(model, str(photos), str(built), **options)
    atlas.export(str(built), str(site))
    assert broken(site) == []
    page = next(site.glob("*/first/1.html")).read_text(encoding="utf-8")
    for part in ("Card", "Classes it raises", "Classes it lowers", "Orientation", "Selectivity"):
        assert part in page, part
    assert "set 2" not in page
    # What silencing takes away is what the unit gives.
    (row,) = atlas.open(str(built)).cards("first", 1)
    first = read_changes(row["raises"])[0]
    assert first.change < 0
    assert f"<b>{-first.change:+.2g}</b>" in page
    for row in atlas.open(str(built)).all_cards():
        if row["name"]:
            text = next(site.glob(f"*/{row['layer']}/{row['unit']}.html")).read_text()
            assert f"<b>{row['name']}</b>" in text
    # Another run over the same photos, without their labels' folders, is another card.
    atlas.cards(model, str(photos), str(built), labels={"01": "x", "02": "y"}, **options)
    atlas.export(str(built), str(site))
    assert "set 2" in next(site.glob("*/first/1.html")).read_text(encoding="utf-8")


def test_an_atlas_of_cards_alone_has_pages(model, photos, tmp_path):
    atlas.cards(model, str(photos), str(tmp_path / "a"), layers="head", judge="none", batch=8)
    atlas.export(str(tmp_path / "a"), str(tmp_path / "site"))
    assert broken(tmp_path / "site") == []
    assert len(list((tmp_path / "site").glob("*/head/[0-9].html"))) == 5


def test_a_damaged_card_is_one_sentence():
    with pytest.raises(convscope.ConvscopeError, match="atlas is damaged"):
        read_changes('[{"index": "x"}]')


def test_the_same_atlas_gives_the_same_bytes_and_replaces_the_old_site_whole(
    site, built, model, photos, tmp_path
):
    before = state(site)
    atlas.export(str(built), str(site))
    assert state(site) == before
    other = tmp_path / "other"
    atlas.build(model, "head", str(other), **SMALL)
    atlas.export(str(other), str(site))
    assert broken(site) == []
    assert not list(site.glob("*/first"))
    atlas.export(str(built), str(site))
    assert state(site) == before


OTHERS = {
    ".git/HEAD": "ref: refs/heads/gh-pages",
    "CNAME": "atlas.example.org",
    "assets/logo.svg": "<svg/>",
}


def put_others(site):
    for name, text in OTHERS.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text)
    (site / ".git" / "refs").mkdir()
    (site / "latest").symlink_to("CNAME")


@pytest.mark.parametrize("has_list", [True, False])
def test_what_others_put_into_a_site_stays(built, tmp_path, has_list):
    """Git's folder and the domain's name, as those who publish a site keep there."""
    site = tmp_path / "site"
    atlas.export(str(built), str(site))
    mark = site / "convscope-site.json"
    written = state(site)
    if not has_list:  # written by an earlier version
        facts = json.loads(mark.read_text())
        del facts["files"]
        mark.write_text(json.dumps(facts))
    put_others(site)
    if not has_list:
        (site / "assets" / "logo.svg").unlink()
    others = {name: data for name, data in state(site).items() if name not in written}
    expected = written | others
    for _ in range(2):
        atlas.export(str(built), str(site))
        assert state(site) == expected
        assert (site / ".git" / "refs").is_dir()
        assert (site / "latest").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"atlas", "site"}


def test_a_page_in_the_place_of_anothers_file_is_refused(built, model, tmp_path):
    site, small = tmp_path / "site", tmp_path / "small"
    atlas.build(model, "head", str(small), **SMALL)
    atlas.export(str(small), str(site))
    notes = next(site.glob("*/head")).parent / "first"
    notes.write_text("years of work")
    with pytest.raises(convscope.ConvscopeError, match="would be overwritten"):
        atlas.export(str(built), str(site))
    assert notes.read_text() == "years of work"
    assert broken(site) == []


def test_names_are_escaped(tmp_path, photos):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Trunk().eval()
    odd = "<script>alert('x')</script> & \"cat\""
    model = convscope.load_model(network, size=24, labels=[odd, "a/b", "../c", "d", "e"])
    atlas.build(model, "head", str(tmp_path / "atlas"), **SMALL)
    atlas.export(str(tmp_path / "atlas"), str(tmp_path / "site"))
    for page in (tmp_path / "site").rglob("*.html"):
        assert "<script>alert" not in page.read_text(encoding="utf-8")
    assert broken(tmp_path / "site") == []


def test_nothing_to_export_and_nowhere_to_put_it(tmp_path, built):
    with pytest.raises(convscope.ConvscopeError):
        atlas.export(str(tmp_path / "none"), str(tmp_path / "site"))
    assert not (tmp_path / "site").exists()
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.txt").write_text("years of work")
    with pytest.raises(convscope.ConvscopeError):
        atlas.export(str(built), str(own))
    assert (own / "thesis.txt").read_text() == "years of work"
