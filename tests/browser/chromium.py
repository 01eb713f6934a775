"""Headless Chromium: the page as rendered, what it logged, and every request it made."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Opened:
    """What came of opening a page."""

    dom: str
    console: list[str]
    """Lines of the page's console, errors of its security policy included."""
    requests: list[str]
    """URLs that anything in the browser asked for on the page's behalf."""


@dataclass(frozen=True)
class Chromium:
    program: str
    profile: Path

    def open(self, page: Path, *options: str) -> Opened:
        """Open a file and wait until it is rendered."""
        log = self.profile / "net.json"
        log.unlink(missing_ok=True)
        done = self._run(
            f"--log-net-log={log}",
            "--net-log-capture-mode=IncludeSensitive",
            "--enable-logging=stderr",
            "--v=0",
            "--dump-dom",
            *options,
            page.as_uri(),
        )
        console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        return Opened(done.stdout, console, _requests(log))

    def dom(self, url: str) -> str:
        """The document of a page as its scripts left it."""
        return self._run("--dump-dom", "--virtual-time-budget=20000", url).stdout

    def screenshot(self, page: Path, target: Path, *options: str) -> None:
        """Draw a file as PNG."""
        self._run(f"--screenshot={target}", "--hide-scrollbars", *options, page.as_uri())

    def print_pdf(self, page: Path, target: Path) -> None:
        """Print a file as PDF."""
        self._run(f"--print-to-pdf={target}", "--no-pdf-header-footer", page.as_uri())

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                self.program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--no-default-browser-check",
                f"--user-data-dir={self.profile}",
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )


def _requests(log: Path) -> list[str]:
    """URLs of the network log that a page asked for; the browser's own requests have no page as initiator."""
    recorded = json.loads(log.read_text(encoding="utf-8"))
    asked = [event.get("params") or {} for event in recorded["events"]]
    return sorted(
        {
            one["url"]
            for one in asked
            if "url" in one and one.get("initiator", "not an origin") != "not an origin"
        }
    )
