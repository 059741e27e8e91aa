"""A workspace of a story's own, with people who joined it by the mails they got."""

import os
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import axe_problems
from tests.chromium import open_page
from tests.stack import Answer, Stack

WORDS = "seven tall windows in oak"
# Far enough from midnight for a story that tells of today.
TIME_ZONE = next(zone for zone in ("Europe/Berlin", "America/New_York") if 3 <= datetime.now(ZoneInfo(zone)).hour < 22)


@dataclass
class Office:
    """What stands behind a story: the workspace's address, its owner's key, and what went wrong on any page."""

    browser: Browser
    stack: Stack
    tag: str = field(default_factory=lambda: uuid4().hex[:8])
    url: str = ""
    key: str = ""
    problems: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def page(self) -> Page:
        """A browser of its own for one more person; what breaks in it is kept in ``problems``."""
        look = {"viewport": {"width": 1400, "height": 900}, "locale": "en-GB", "timezone_id": TIME_ZONE}
        page = open_page(self.browser, self.problems, **look)
        self.pages.append(page)
        return page

    def email(self, name: str) -> str:
        return f"{name.split()[0].lower()}-{self.tag}@example.com"

    def open(self, name: str) -> Page:
        """Sign the owner up, confirm the address and make a key; the page of the owner."""
        page = self.page()
        page.goto(f"{self.stack.demo['base_url']}/signup/")
        page.get_by_label("Work email").fill(self.email(name))
        page.get_by_label("Company").fill(f"Office {self.tag}")
        page.locator("[name=subdomain]").fill(f"office-{self.tag}")
        page.get_by_label("Password", exact=True).fill(WORDS)
        page.get_by_role("button", name="Make my workspace").click()
        page.wait_for_url(re.compile(rf"//office-{self.tag}\.localhost:\d+/"))
        self.url = page.url.rstrip("/")
        mail = self.stack.wait_mail(self.email(name))
        page.goto(next(one for one in mail["links"] if "verif" in one))
        expect(page.get_by_role("heading", level=1)).to_have_text("Your address is confirmed")
        self.key = self.new_key(page)
        return page

    def new_key(self, page: Page) -> str:
        page.goto(f"{self.url}/settings/api/")
        page.get_by_label("Name").fill("Story")
        page.get_by_role("button", name="Make the key").click()
        return page.get_by_test_id("new-key").inner_text()

    def join(self, owner: Page, name: str, role: str) -> Page:
        """Invite somebody and let them follow the link in their mail; their page in the workspace."""
        owner.goto(f"{self.url}/settings/members/")
        owner.get_by_label("Email addresses").fill(self.email(name))
        owner.locator("#invite [name=role]").select_option(label=role)
        owner.get_by_role("button", name="Send the invitation").click()
        expect(owner.get_by_role("region", name="Invited")).to_contain_text(self.email(name))
        return self.accept(name)

    def accept(self, name: str) -> Page:
        page = self.page()
        mail = self.stack.wait_mail(self.email(name))
        page.goto(next(one for one in mail["links"] if "invitation" in one or "join" in one))
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password", exact=True).fill(WORDS)
        page.get_by_role("button", name="Join the workspace").click()
        page.wait_for_url(f"{self.url}/**")
        return page

    def api(self, method: str, path: str, body: Any = None, *, key: str = "") -> Answer:
        host = self.url.split("//", 1)[1]
        return self.stack.request(method, f"/api/v1{path}", body, host=host, key=key or self.key)

    def add(self, nouns: str, **values: Any) -> str:
        """A record by the API; its id."""
        answer = self.api("POST", f"/{nouns}", values)
        assert answer.status == 201, answer.body
        made: str = answer.body["id"]
        return made

    def member_id(self, name: str) -> str:
        rows = self.api("GET", "/members").body["data"]
        found: str = next(one["id"] for one in rows if one["name"] == name)
        return found

    def told(self, page: Page, words: str | re.Pattern[str]) -> Locator:
        """The line with these words in the inbox, which comes there in its own time."""
        line = page.locator(".inbox-item", has_text=words)
        deadline = time.monotonic() + 120
        page.goto(f"{self.url}/inbox/")
        while not line.count():
            assert time.monotonic() < deadline, f"not told of: {words}"
            page.wait_for_timeout(300)
            page.reload()
        return line

    def looked_at(self, page: Page, name: str = "") -> None:
        """The page is free of what axe finds; with SHOTS=<folder> a picture of it stays there."""
        self.problems += [f"{page.url}: {one}" for one in axe_problems(page)]
        if os.environ.get("SHOTS") and name:
            page.screenshot(path=Path(os.environ["SHOTS"]) / f"{name}.png")

    def close(self) -> None:
        for page in self.pages:
            page.context.close()
