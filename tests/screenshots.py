"""`make screenshots`: does the main job in a real browser and photographs every page on the way.

Each page on a phone (390 px) and a desktop (1280 px), light and dark, into docs/screenshots/.
With words, as in `python -m tests.screenshots admin-builder`, only pages whose name holds one of them.
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser.fixtures import DESKTOP, FLAGS, PHONE, chromium
from tests.browser.main_job import PASSWORD, do_main_job
from tests.installation import installation

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
COLOURS = 160  # enough for pages of text, and a tenth of the bytes


def photograph(page: Page, name: str) -> None:
    """The page as it is now, four times; then back to how it was."""
    if not is_wanted(name):
        return
    before = page.viewport_size
    for size_name, size in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            in_scheme(page, scheme)
            page.wait_for_timeout(250)
            keep(page.screenshot(), FOLDER / f"{name}-{size_name}-{scheme}.png")
    in_scheme(page, "light")
    page.set_viewport_size(before or DESKTOP)
    print(f"  {name}")


def in_scheme(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    # The admin looks at the scheme only while it loads.
    root = "document.documentElement"
    script = f"dark => {root}.matches('[x-data]') && {root}.classList.toggle('dark', dark)"
    page.evaluate(script, scheme == "dark")


def is_wanted(name: str) -> bool:
    words = sys.argv[1:]
    return not words or any(word in name for word in words)


def keep(png: bytes, path: Path) -> None:
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def main() -> int:
    program = chromium()
    if not program:
        print("There is no Chromium. Install it, or set CHROMIUM.")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        if is_wanted(old.stem):
            old.unlink()
    settings = {"RAPPORT_ADMIN_PASSWORD": PASSWORD}
    with (
        installation(settings, "--seed-demo") as house,
        sync_playwright() as playwright,
        tempfile.TemporaryDirectory() as folder,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        do_main_job(browser, house.url, Path(folder), look=photograph)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
