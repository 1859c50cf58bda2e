"""The audit's tables on a phone."""

from __future__ import annotations

import re
from importlib import resources

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_the_heading_of_a_block_stands_over_the_names(chromium):
    template = resources.files("convscope.audit").joinpath("audit.html").read_text()
    style = re.search(r"{% block style %}(.*?){%- endblock %}", template, re.DOTALL)
    page = chromium.new_page(viewport={"width": 400, "height": 400})
    page.set_content(
        f"""<style>{style[1]}</style><table><thead><tr><th>class<th>photos</thead><tbody>
        <tr><td class="name">tabby</td><td class="number" data-name="photos">3</td></tr></table>"""
    )
    left = page.locator("td.name").evaluate(
        """cell => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return range.getBoundingClientRect().left;
        }"""
    )
    assert left == page.locator("td.number").bounding_box()["x"]
    page.close()
