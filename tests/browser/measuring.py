"""A page in a frame of a given width, measured by a page around it: both come from one small server."""

import functools
import html
import json
import re
import threading
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.browser.chromium import Chromium

TOFU = "\U0010fffd"
"""A character that no font has: it is drawn as every missing one."""
CHARACTERS = "净利率提高" + TOFU
PLACES = (".excerpt", "h1", ".mono", "pre")
AROUND = """<!doctype html>
<body style="margin:0"><iframe src="PAGE" style="width:WIDTHpx;height:20000px;border:0"></iframe>
<script>
const frame = document.querySelector("iframe");
function glyph(font, character) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const context = canvas.getContext("2d");
  context.font = font.replace(/[\\d.]+px/, "40px");
  context.fillText(character, 8, 48);
  return canvas.toDataURL();
}
frame.onload = () => {
  const page = frame.contentDocument, wide = frame.clientWidth, cut = [], glyphs = {};
  page.querySelectorAll("details").forEach(one => one.open = true);
  const elements = [...page.querySelectorAll("body *")];
  for (const one of elements) {
    const box = one.getBoundingClientRect(), name = one.tagName + ": " + one.textContent.slice(0, 40);
    if (box.width && (box.right > wide + 1 || box.left < -1)) cut.push(name);
    const sideways = one.scrollWidth > one.clientWidth + 1 && one.clientWidth;
    if (sideways && getComputedStyle(one).overflowX !== "visible") cut.push(name);
    const below = one.scrollHeight > one.clientHeight + 1 && one.clientHeight;
    if (below && getComputedStyle(one).overflowY !== "visible") cut.push(name);
  }
  for (const place of PLACES) {
    const one = page.querySelector(place);
    if (one === null) continue;
    const font = getComputedStyle(one).font;
    glyphs[place] = Object.fromEntries([...CHARACTERS].map(each => [each, glyph(font, each)]));
  }
  document.body.innerHTML = "<pre id=seen></pre>";
  document.querySelector("#seen").textContent =
    JSON.stringify({ width: wide, elements: elements.length, cut: cut, glyphs: glyphs });
};
</script>
"""


@dataclass(frozen=True)
class Seen:
    """What a reader of a page of this width sees."""

    width: int
    elements: int
    cut: list[str]
    """What leaves the page at a side, or can only be read by scrolling within it."""
    glyphs: dict[str, dict[str, str]]
    """Selector → character → its picture in the font that stands there."""


def measure(chromium: Chromium, page: Path, *, width: int) -> Seen:
    """Open a page at this width."""
    around = AROUND.replace("PAGE", page.name).replace("WIDTH", str(width))
    around = around.replace("PLACES", json.dumps(PLACES)).replace("CHARACTERS", json.dumps(CHARACTERS))
    (page.parent / "around.html").write_text(around, encoding="utf-8")
    handler = functools.partial(_Quiet, directory=str(page.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        dom = chromium.dom(f"http://127.0.0.1:{server.server_address[1]}/around.html")
        server.shutdown()
    found = re.search(r'<pre id="seen">(.*?)</pre>', dom, re.DOTALL)
    assert found is not None, dom[:2000]
    return Seen(**json.loads(html.unescape(found[1])))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""
