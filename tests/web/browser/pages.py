"""The views' addresses, and how a test waits for them."""

from __future__ import annotations

VIEWS = {
    "photo": "/photo?photo=sample-chelsea",
    "network": "/network?photo=sample-chelsea&layer=blocks.3",
    "unit": "/unit?photo=sample-chelsea&unit=blocks.2:7&steps=8",
    "place": "/place?photo=sample-chelsea&row=120&column=200",
    "camera": "/camera",
}
READY = {
    "photo": ".stage-card",
    "network": ".tile-button",
    "unit": ".signed-bars",
    "place": ".layer-card",
    "camera": "text=Start camera",
}
SECONDS = 60_000
"""Milliseconds that anything may take on a busy machine."""


def go(page, view):
    """Open a view and wait until it is whole."""
    page.goto(VIEWS[view])
    page.wait_for_selector(READY[view])


def watched_page(chromium, address):
    """A page of its own context, in which every error of a script, and everything the policy
    refuses, is noted in the list."""
    context = chromium.new_context(
        base_url=address,
        permissions=["camera", "clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    context.set_default_timeout(SECONDS)
    page = context.new_page()
    wrong: list[str] = []

    def note(said):
        if said.type in ("error", "warning") and "Failed to load resource" not in said.text:
            wrong.append(said.text)

    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", note)
    return page, wrong
