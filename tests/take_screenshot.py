"""Take the README's picture of the GUI from a running demo: `make screenshot`."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, CHROMIUM_WORDS
from tests.running_demo import RunningDemo, until

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "monitoring.png"


def main() -> None:
    """Start a demo, let traffic through it, stop one server, take the picture."""
    with tempfile.TemporaryDirectory() as root, sync_playwright() as driver:
        demo = RunningDemo(Path(root), "--gui-port", "0")
        try:
            demo.wait_until_ready()
            for _ in range(240):
                demo.get()
            demo.command("demo", "stop", "web2")
            until(lambda: demo.server("web2").health.state == "down", 10, "web2 is seen down")
            browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=CHROMIUM_WORDS)
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(f"http://127.0.0.1:{demo.gui_port}/login")
            tab.get_by_label("User:").fill("piranha")
            tab.get_by_label("Password:").fill(demo.password)
            tab.get_by_role("button", name="Login").click()
            tab.wait_for_selector("text=CURRENT LVS ROUTING TABLE")
            PICTURE.parent.mkdir(exist_ok=True)
            tab.screenshot(path=PICTURE)
            browser.close()
        finally:
            demo.stop()


if __name__ == "__main__":
    main()
