"""The search inside the settings, and a decimal comma, by keyboard only."""

from playwright.sync_api import Page, expect

from tests.stack import Stack


def test_a_setting_is_found_and_opened_by_keyboard(demo_page: Page, stack: Stack) -> None:
    page = demo_page
    workspace = stack.demo["workspace_url"].rstrip("/")
    page.goto(f"{workspace}/settings/personal/")
    hit = page.locator(".settings-nav .nav-part", has_text="Rates from a file")
    expect(hit).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("ÉCB")
    expect(hit).to_be_visible()
    expect(page.locator(".settings-nav .nav-item:visible")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(hit).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{workspace}/settings/currencies/#file")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".settings-nav")).to_be_hidden()
    page.locator(".settings-crumbs").get_by_role("link", name="Settings").click()
    page.wait_for_url(f"{workspace}/settings/")
    page.get_by_label("Search settings").fill("theme")
    expect(page.locator(".settings-entry:visible")).to_have_count(2)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{workspace}/settings/personal/")
    page.locator("select[name=number_format]").select_option("point_comma")
    expect(page.locator("#formats-example")).to_contain_text("1.234,50")
