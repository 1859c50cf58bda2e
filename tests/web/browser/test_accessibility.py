"""For everybody: any width, by keyboard, without motion, with a screen reader."""

from __future__ import annotations

from importlib import resources

import pytest

from tests.web.browser.pages import VIEWS, go

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_sticks_out(page, view):
    go(page, view)
    for width in (390, 768, 1280, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width


def axe_finds(page):
    """What axe-core calls serious or critical, at the widths and in the schemes of a phone and of a
    desk."""
    axe = resources.files(pytest.importorskip("axe_core_python")).joinpath("axe.min.js")
    page.evaluate(axe.read_text())
    violations = []
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        report = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        violations += [
            (scheme, width, violation["id"], [node["html"][:160] for node in violation["nodes"]])
            for violation in report["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
    return violations


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(page, view):
    page.emulate_media(reduced_motion="reduce")
    go(page, view)
    assert axe_finds(page) == []


def test_axe_finds_nothing_serious_in_two_maps_options_and_an_error(page):
    page.emulate_media(reduced_motion="reduce")
    page.goto("/photo?photo=sample-chelsea&compare=1&b.method=rise&b.target=nothing")
    page.get_by_role("alert").wait_for()
    page.wait_for_selector(".stage-card")
    page.locator("summary").last.click()
    assert axe_finds(page) == []


def test_by_keyboard_alone(page):
    """From the address bar to another answer's heat, and focus can be seen at every stop."""
    go(page, "photo")
    page.evaluate("document.activeElement.blur()")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
              const element = document.activeElement;
              const style = getComputedStyle(element);
              const label = element.matches("#add-photo")
                ? getComputedStyle(document.querySelector(".add")).outlineStyle
                : style.outlineStyle;
              return { name: element.getAttribute("aria-label") || element.textContent.trim(),
                       class: element.className, outline: label };
            }"""
        )
        assert stop["outline"] not in ("none", ""), stop
        seen.append(stop["name"])
        if stop["class"] == "bar-row" and "tabby" in stop["name"]:
            page.keyboard.press("Enter")
            break
    assert seen[0] == "Skip to the view"
    page.wait_for_function(
        "() => document.querySelector('.map-title').textContent.includes('tabby')"
    )


def test_reduced_motion(page):
    page.emulate_media(reduced_motion="reduce")
    go(page, "photo")
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => parseFloat("
        "getComputedStyle(e).transitionDuration) > 0).length"
    )
    assert moving == 0
