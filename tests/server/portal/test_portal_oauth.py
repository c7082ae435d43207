"""Connecting by OAuth through the portal: the way there and back, and every way in which it may go wrong."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from core.accounts.links import hashed
from tests.server.portal.conftest import APP, Door, Page

PUBLISHING = ("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read")


async def consent(door: Door, browser: Any, link: str | None = None) -> Page:
    """The platform's page, to which a link leads."""
    page: Page = await browser.go(link or await door.connect())
    assert page.url.startswith(f"{door.sandbox_url}/oauth/"), page
    return page


async def code_of(door: Door, browser: Any, page: Page) -> str:
    """The address back to us, with its code, that a browser has not visited yet."""
    form = page.fields() | {"decision": "allow", "user": "new"}
    answer = await browser.http.post(page.url, data=form)
    target: str = answer.headers["location"]
    assert target.startswith(f"{door.url}/connect/callback/pinterest?")
    return target


async def test_an_account_is_connected_and_the_client_is_told(door: Door) -> None:
    browser = door.browser()
    page = await consent(door, browser)
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["redirect_uri"] == [f"{door.url}/connect/callback/pinterest"]
    assert asked["client_id"] == ["1500000"]
    assert asked["scope"] == [",".join(PUBLISHING)]
    assert len(asked["state"][0]) >= 43
    assert "code_challenge" not in asked
    back = await browser.decide(page)
    assert back.left.startswith("https://app.example/done?tab=2&")
    account = next(account for account in await door.accounts() if account["username"] != "cook")
    assert back.answer == {"tab": "2", "success": "true", "type": "PINTEREST", "socialAccountId": account["id"]}
    assert account["state"] == "live"
    assert {channel["name"] for channel in account["channels"]} == {"Inspiration", "Recipes", "Travel"}
    assert set(account["scopes"]) == set(PUBLISHING)
    assert account["expiresAt"] is not None
    assert not {"accessToken", "refreshToken", "access_token"} & account.keys()


async def test_the_state_is_stored_as_a_hash_and_the_tokens_are_sealed(door: Door) -> None:
    browser = door.browser()
    page = await consent(door, browser)
    (state,) = parse_qs(urlsplit(page.url).query)["state"]
    await browser.decide(page)
    with psycopg.connect(door.database_url) as connection:
        (kept,) = connection.execute("select state from sign_ins").fetchone() or (b"",)
        assert kept == hashed(state)
        rows = connection.execute("select access_token, refresh_token from grants where refresh_token is not null")
        for access, refresh in rows.fetchall():
            assert b"pina_" not in access
            assert b"pinr_" not in refresh
        events = connection.execute(
            "select type, sequence, data from events where starts_with(type, 'account.') order by created_at"
        ).fetchall()
    assert [type for type, *_ in events] == ["account.connected", "account.connected"]
    assert "pina_" not in str(events)


async def test_cookies_and_headers_guard_the_way(door: Door) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(await door.connect())
        cookies = answer.headers.get_list("set-cookie")
        page = await http.get(await door.portal())
    assert len(cookies) == 2
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert "Path=/connect" in cookie
        assert "Secure" not in cookie, "a plain http address cannot keep a secure cookie"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert not re.search(r'(?:src|href)="(?!http://127\.0\.0\.1|https://app\.example)', page.text)


async def test_saying_no_ends_in_a_page_and_leads_back(door: Door) -> None:
    browser = door.browser()
    page = await browser.decide(await consent(door, browser), "deny")
    assert (page.status, page.heading) == (403, "Nothing was connected")
    told = parse_qs(urlsplit(page.link("Back to app.example")).query)
    assert (told["success"], told["error"], told["type"]) == (["false"], ["access_denied"], ["PINTEREST"])
    again = await browser.go(page.link("Try again"))
    assert again.url.startswith(f"{door.sandbox_url}/oauth/")
    assert len(await door.accounts()) == 1


async def test_a_sign_in_is_good_once(door: Door) -> None:
    browser = door.browser()
    target = await code_of(door, browser, await consent(door, browser, await door.portal() + "/pinterest"))
    first = await browser.go(target)
    assert first.status == 200
    again = await browser.go(target)
    assert (again.status, again.heading) == (410, "This sign-in was finished before")
    assert "error=sign_in_used" in again.link("Back to app.example")
    assert len(await door.accounts()) == 2


async def test_a_code_of_somebody_else_is_of_no_use(door: Door) -> None:
    """The victim's browser never began it: whoever sends them an address cannot lend them an account."""
    browser, victim = door.browser(), door.browser()
    target = await code_of(door, browser, await consent(door, browser))
    page = await victim.go(target)
    assert (page.status, page.heading) == (403, "This is another browser")
    assert "app.example" not in page.text
    assert len(await door.accounts()) == 1
    # It is not spent by that: where it was begun it can be finished.
    assert (await browser.go(target)).answer["success"] == "true"


async def test_a_state_that_nobody_gave_is_refused(door: Door) -> None:
    browser = door.browser()
    target = await code_of(door, browser, await consent(door, browser))
    for state in ("", "x" * 43, "é", "%00"):
        page = await browser.go(re.sub(r"state=[^&]*", f"state={state}", target))
        assert (page.status, page.heading) == (400, "This sign-in is not known")
    page = await browser.go(target.replace("/callback/pinterest", "/callback/echo"))
    assert page.status == 400, "one platform cannot answer for another"
    page = await browser.go(target.replace("/callback/pinterest", "/callback/nobody"))
    assert page.status == 400
    assert len(await door.accounts()) == 1


async def test_a_sign_in_that_took_too_long_is_refused(door: Door) -> None:
    browser = door.browser()
    target = await code_of(door, browser, await consent(door, browser))
    with psycopg.connect(door.database_url) as connection:
        connection.execute("update sign_ins set expires_at = now() - interval '1 second'")
    page = await browser.go(target)
    assert (page.status, page.heading) == (410, "This sign-in took too long")
    assert "error=sign_in_expired" in page.link("Back to app.example")


async def test_a_code_that_the_platform_does_not_take_is_told(door: Door) -> None:
    browser = door.browser()
    target = await code_of(door, browser, await consent(door, browser))
    page = await browser.go(re.sub(r"code=[^&]*", "code=made-up", target))
    assert (page.status, page.heading) == (502, "The platform said no")
    assert "error=platform_refused" in page.link("Back to app.example")
    assert "made-up" not in page.text


async def test_an_account_that_is_connected_already_is_renewed_and_told(door: Door) -> None:
    account = await door.connected()
    browser = door.browser()
    page = await browser.decide(await consent(door, browser), user=account["externalId"])
    assert (page.status, page.heading) == (200, "Already connected")
    told = parse_qs(urlsplit(page.link("Continue")).query)
    assert (told["success"], told["alreadyConnected"]) == (["true"], ["true"])
    assert told["socialAccountId"] == [account["id"]]
    assert len(await door.accounts()) == 2
    with psycopg.connect(door.database_url) as connection:
        (version,) = connection.execute(
            "select token_version from grants where external_user = %s", (account["externalId"],)
        ).fetchone() or (0,)
    assert version == 3


async def test_a_direct_link_connects_one_account_and_is_spent(door: Door) -> None:
    browser, link = door.browser(), await door.connect()
    await browser.decide(await consent(door, browser, link))
    page = await browser.go(link)
    assert (page.status, page.heading) == (410, "This link was used before")


async def test_links_end_and_unknown_ones_lead_nowhere(door: Door) -> None:
    browser, link = door.browser(), await door.portal()
    with psycopg.connect(door.database_url) as connection:
        connection.execute("update connect_links set expires_at = now()")
    for url in (link, f"{link}/pinterest"):
        page = await browser.go(url)
        assert (page.status, page.heading) == (410, "This link has expired")
    for url in (f"{door.url}/connect/{'x' * 43}", f"{door.url}/connect/%00", f"{door.url}/connect/a/b"):
        page = await browser.go(url)
        assert (page.status, page.heading) == (404, "This link does not work")
    fresh = await door.portal(socialAccountTypes=["ECHO"])
    assert (await browser.go(f"{fresh}/pinterest")).status == 404


async def test_missing_permissions_are_named_and_nothing_is_connected(door: Door) -> None:
    door.sandbox.consent.grants = frozenset({"pins:read", "pins:write", "boards:read", "user_accounts:read"})
    browser = door.browser()
    page = await browser.decide(await consent(door, browser))
    assert (page.status, page.heading) == (403, "A permission is missing")
    assert "boards:write" in page.text
    assert "error=scope_missing" in page.link("Back to app.example")
    assert len(await door.accounts()) == 1


SECRETS = ("boards:read_secret", "boards:write_secret")


@pytest.mark.parametrize("apps", [APP | {"FINGERPOST_PINTEREST_SCOPES": ", ".join(SECRETS)}])
async def test_more_can_be_asked_for_than_publishing_needs_and_need_not_be_granted(door: Door) -> None:
    for granted in (None, frozenset(PUBLISHING)):
        door.sandbox.consent.grants = granted
        browser = door.browser()
        page = await consent(door, browser)
        assert parse_qs(urlsplit(page.url).query)["scope"] == [",".join((*PUBLISHING, *SECRETS))]
        id = (await browser.decide(page)).answer["socialAccountId"]
        (account,) = [account for account in await door.accounts() if account["id"] == id]
        assert set(account["scopes"]) == set(PUBLISHING) | (set(SECRETS) if granted is None else set())
        made = await door.call("POST", f"/social-account/{id}/channels", name="Hidden", privacy="secret")
        if granted is None:
            assert made.json()["privacy"] == "secret"
        else:
            assert made.json()["code"] == "scope_missing"
            assert "FINGERPOST_PINTEREST_SCOPES" in made.json()["hint"]


@pytest.mark.parametrize("apps", [{}])
async def test_without_an_app_the_page_says_so(door: Door) -> None:
    page = await door.browser().go(await door.connect())
    assert (page.status, page.heading) == (503, "This platform is not set up yet")


@pytest.mark.parametrize("apps", [{}])
async def test_an_organization_connects_by_an_app_of_its_own(door: Door) -> None:
    put = await door.call("PUT", "/app/PINTEREST", clientId="1500000", clientSecret="wrong")
    assert put.json().keys() == {"type", "clientId", "createdAt", "updatedAt"}
    browser = door.browser()
    page = await browser.decide(await consent(door, browser))
    assert page.heading == "The platform said no"
    await door.call("PUT", "/app/PINTEREST", clientId="1500000", clientSecret="the-secret-of-the-sandbox")
    account = await door.connected()
    with psycopg.connect(door.database_url) as connection:
        ((id, secret),) = connection.execute("select id::text, client_secret from apps").fetchall()
        (app,) = connection.execute(
            "select app from grants where external_user = %s", (account["externalId"],)
        ).fetchone() or ("",)
    assert app == id
    assert b"the-secret" not in secret
    assert (await door.call("GET", "/app")).json()["total"] == 1
    assert (await door.call("DELETE", "/app/PINTEREST")).status_code == 204
    assert (await door.call("DELETE", "/app/PINTEREST")).status_code == 404
    assert (await door.browser().go(await door.connect())).status == 503


async def test_no_more_accounts_are_connected_than_the_link_allows(door: Door) -> None:
    page = await door.browser().go(await door.portal(maxSocialAccountsConnected=1) + "/pinterest")
    assert (page.status, page.heading) == (409, "There is no room for another account")
