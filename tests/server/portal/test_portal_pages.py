"""The pages of the portal: what stands on them, forms, and that they can be used by everybody."""

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from tests.server.portal.conftest import Door


async def test_the_page_names_the_team_the_user_and_every_platform(door: Door) -> None:
    page = await door.browser().go(await door.portal(userName="Zoë <b>", goBackButtonText="Done & back"))
    assert page.status == 200
    assert page.heading == "Connect your accounts"
    assert "<strong>team</strong>" in page.text
    assert "Zoë &lt;b&gt;" in page.text
    assert page.link("Pinterest")
    assert page.link("Echo")
    assert page.link("Done & back") == "https://app.example/done?tab=2"
    assert "The Cook is connected" in re.sub("<[^>]*>", "", page.text)
    assert "Powered by Fingerpost" in page.text


async def test_what_is_hidden_is_not_there(door: Door) -> None:
    hidden: dict[str, Any] = {"hidePoweredBy": True, "hideGoBackButton": True, "hideUserName": True, "userName": "Zoë"}
    page = await door.browser().go(await door.portal(**hidden))
    assert page.status == 200
    assert "Zoë" not in page.text
    assert "Powered by" not in page.text
    assert "app.example" not in page.text


async def test_accounts_are_connected_one_after_the_other(door: Door) -> None:
    browser = door.browser()
    page = await browser.go(await door.portal())
    page = await browser.decide(await browser.go(page.link("Pinterest")))
    assert page.status == 200
    assert "sandbox_1 is connected." in html.unescape(page.text)
    assert "success=true" in page.link("Back to app.example")
    page = await browser.go(page.link("Echo"))
    assert page.heading == "Connect Echo"
    page = await browser.go(page.url, page.fields() | {"name": "Ann"})
    assert "Ann is connected." in page.text
    assert {account["type"] for account in await door.accounts(None)} == {"PINTEREST", "ECHO"}


async def test_a_form_leads_back_to_the_client(door: Door) -> None:
    browser = door.browser()
    page = await browser.go(await door.connect(type="ECHO"))
    assert "form-action 'self' https://app.example" in page.headers["content-security-policy"]
    fields = page.fields()
    assert fields.keys() == {"state", "name"}
    assert re.search(r'<label for="name">Your name</label>', page.text)
    assert re.search(r'aria-describedby="help-name"', page.text)
    address = page.url
    done = await browser.go(address, fields | {"name": "Ann"})
    (account,) = await door.accounts("ECHO")
    assert (account["username"], account["state"], account["expiresAt"]) == ("Ann", "live", None)
    assert done.answer == {"tab": "2", "success": "true", "type": "ECHO", "socialAccountId": account["id"]}


async def test_a_form_that_is_not_filled_in_says_what_is_missing(door: Door) -> None:
    browser = door.browser()
    page = await browser.go(await door.portal() + "/echo")
    for wrong in ("", "   ", "a\0b", "x" * 9000):
        page = await browser.go(page.url, page.fields() | {"name": wrong})
        assert page.status == 400
        assert 'role="alert"' in page.text
        assert 'aria-invalid="true"' in page.text
    done = await browser.go(page.url, page.fields() | {"name": "Ann"})
    assert done.status == 200


async def test_a_form_is_only_taken_from_where_it_was_shown(door: Door) -> None:
    browser, other = door.browser(), door.browser()
    page = await browser.go(await door.portal() + "/echo")
    stolen = await other.go(page.url, page.fields() | {"name": "Mallory"})
    assert (stolen.status, stolen.heading) == (403, "This is another browser")
    forged = await browser.go(page.url, {"name": "Mallory"})
    assert forged.status == 400
    assert await door.accounts("ECHO") == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "ftp://app.example/", "//app.example/x", "/done", "app.example", "",
        "https://user@app.example/", "https://user:pass@app.example/", "https://@app.example/", "https:///x",
        "https://app.example\\@evil.example/", "https://app.example/ x", "https://app.example/\n", "http://[::1",
        "https://app.example:99999/", "https://app.example/" + "x" * 2048,
    ],
)  # fmt: skip
async def test_a_redirect_that_is_no_plain_address_is_refused(door: Door, url: str) -> None:
    for path, body in (
        ("/social-account/connect", {"type": "PINTEREST"}),
        ("/social-account/create-portal-link", {"socialAccountTypes": ["PINTEREST"]}),
    ):
        answer = await door.call("POST", path, teamId=str(door.owner.team_id), redirectUrl=url, **body)
        assert answer.status_code == 400, url
        assert [issue["path"] for issue in answer.json()["issues"]] == [["redirectUrl"]]


async def test_answers_join_the_query_that_is_there_already(door: Door) -> None:
    browser = door.browser()
    link = await door.connect(redirectUrl="http://app.example:3000/a/b?x=1&success=maybe#part")
    page = await browser.decide(await browser.go(link))
    parts = urlsplit(page.left)
    assert (parts.netloc, parts.path, parts.fragment) == ("app.example:3000", "/a/b", "part")
    told = parse_qs(parts.query)
    assert told["x"] == ["1"]
    assert told["success"] == ["true"]


async def test_every_page_stands_in_english_with_landmarks_and_one_heading(door: Door) -> None:
    browser = door.browser()
    pages = [
        await browser.go(await door.portal()),
        await browser.go(await door.portal() + "/echo"),
        await browser.go(f"{door.url}/connect/{'x' * 43}"),
    ]
    for page in pages:
        assert '<html lang="en">' in page.text
        assert len(re.findall("<h1>", page.text)) == 1
        assert len(re.findall("<main", page.text)) == 1
        assert re.search(r"<title>[^<]+</title>", page.text)
        assert "width=device-width" in page.text
        for control in re.findall(r'<input [^>]*id="([^"]+)"', page.text):
            assert f'<label for="{control}">' in page.text


async def test_what_nobody_foresaw_ends_in_a_page_too(door: Door) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{door.url}/connect/callback/pinterest")
        assert "application/problem+json" not in answer.headers["content-type"] or answer.status_code == 405
        with psycopg.connect(door.database_url, autocommit=True) as connection:
            connection.execute("alter table connect_links rename to elsewhere")
        answer = await http.get(f"{door.url}/connect/{'x' * 43}")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "elsewhere" not in answer.text


async def test_the_style_sheet_is_kept_by_browsers_and_loads_nothing(door: Door) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        page = await http.get(await door.portal())
        (address,) = re.findall(r'rel="stylesheet" href="([^"]+)"', page.text)
        style = await http.get(address)
    assert style.headers["content-type"].startswith("text/css")
    assert "immutable" in style.headers["cache-control"]
    assert "url(" not in style.text
    assert "@import" not in style.text


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


async def test_texts_stand_out_in_light_and_in_dark(door: Door) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"{door.url}/connect/style.css")).text
    light, dark = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in text.split("@media", 2)[:2]]
    for colours in (light, dark):
        for ink, ground in (
            ("ink", "card"), ("soft", "card"), ("soft", "ground"), ("accent-ink", "accent"), ("accent", "accent-soft"),
            ("accent", "card"), ("bad", "bad-soft"), ("bad", "card"),
        ):  # fmt: skip
            lighter, darker = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ink, ground)
