"""The pictures of the gallery, made by the code that stands on its pages.

python -m benchmarks.gallery            all of them, into docs/gallery
python -m benchmarks.gallery dream      one of them
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image

from convscope.core.files import write_whole

PAGES = Path(__file__).parent.parent / "docs" / "gallery"
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LONGEST = 1000


def main(names: list[str]) -> None:
    """Run the code of the pages and keep what they save, as a small JPEG."""
    for page in sorted(PAGES.glob("*.md")):
        name, text = page.stem, page.read_text()
        if f"({name}.jpg)" not in text or (names and name not in names):
            continue
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            exec(compile("".join(CODE.findall(text)), str(page), "exec"), {})
            picture = Image.open(f"{name}.png").convert("RGB")
        picture.thumbnail((LONGEST, LONGEST))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=82, optimize=True)
        write_whole(PAGES / f"{name}.jpg", buffer.getvalue())
        print(name, picture.size, len(buffer.getvalue()) // 1024, "KiB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
