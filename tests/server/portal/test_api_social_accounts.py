"""The calls that look after social accounts, in bundle.social's shape; a stranger finds nothing."""

from typing import Any

import httpx
import psycopg
import pytest

from tests.server.portal.conftest import Door

NOBODY = "0190b3f0-0000-7000-8000-000000000000"


def named(account: dict[str, Any]) -> dict[str, str]:
    return {"teamId": account["teamId"], "type": account["type"], "socialAccountId": account["id"]}


async def test_an_account_has_the_vendors_fields_and_no_secret(door: Door) -> None:
    account = await door.connected()
    assert account.keys() >= {
        "id", "type", "teamId", "username", "displayName", "bio", "avatarUrl", "externalId", "userUsername",
        "userDisplayName", "userId", "channels", "disconnectedCheckTryAt", "deleteOn", "createdAt", "updatedAt",
        "deletedAt",
    }  # fmt: skip
    text = str(account).lower()
    assert "pina_" not in text
    assert "pinr_" not in text
    by_type = await door.api.get(
        "/social-account/by-type", params={"type": "PINTEREST", "teamId": str(door.owner.team_id)}
    )
    assert by_type.json()["username"] == "cook", "the one that was connected first"


async def test_several_accounts_are_told_apart_by_their_ids(door: Door) -> None:
    account = await door.connected()
    answer = await door.call("POST", "/social-account/connection-check", teamId=account["teamId"], type="PINTEREST")
    assert answer.status_code == 409
    assert account["id"] in answer.json()["message"]
    answer = await door.call("POST", "/social-account/connection-check", **named(account))
    assert answer.status_code == 200


async def test_a_check_asks_the_platform_and_is_bounded(door: Door) -> None:
    account = await door.connected()
    for used in range(1, 11):
        answer = (await door.call("POST", "/social-account/connection-check", **named(account))).json()
        assert (answer["success"], answer["used"], answer["remaining"]) == (True, used, 10 - used)
    answer = (await door.call("POST", "/social-account/connection-check", **named(account))).json()
    assert (answer["success"], answer["remaining"], answer["windowSeconds"]) == (False, 0, 60)
    assert answer["socialAccountId"] == account["id"]


async def test_a_check_of_a_revoked_account_says_so_and_marks_it(door: Door) -> None:
    account = await door.connected()
    door.sandbox.revoke(account["externalId"])
    with psycopg.connect(door.database_url) as connection:
        connection.execute("update grants set refresh_due_at = null where external_user = %s", (account["externalId"],))
    answer = (await door.call("POST", "/social-account/connection-check", **named(account))).json()
    assert answer["success"] is False
    assert "Connect" in answer["message"]
    (marked,) = [each for each in await door.accounts() if each["id"] == account["id"]]
    assert marked["state"] == "needs_reauth"
    assert marked["error"]["code"] == "account_needs_reauth"


async def test_profile_and_channels_are_taken_over_anew(door: Door) -> None:
    account = await door.connected()
    token = door.sandbox.issue(door.sandbox.user(account["externalId"]))
    async with httpx.AsyncClient(base_url=door.sandbox_url, trust_env=False) as http:
        made = await http.post(
            "/v5/boards", json={"name": "Brand new"}, headers={"Authorization": f"Bearer {token.value}"}
        )
        assert made.status_code == 201
    answer = (await door.call("POST", "/social-account/refresh-channels", **named(account))).json()
    assert "Brand new" in {channel["name"] for channel in answer["channels"]}
    answer = (await door.call("POST", "/social-account/profile-refresh", **named(account))).json()
    assert answer["success"] is True
    assert answer["socialAccount"]["id"] == account["id"]
    assert answer["refreshedAt"].endswith("Z")


async def test_a_platform_that_does_not_answer_is_no_fault_of_the_request(door: Door) -> None:
    account = await door.connected()
    async with httpx.AsyncClient(trust_env=False) as http:
        body = {"on": "GET /v5/user_account", "fault": "error", "status": 500, "times": None}
        assert (await http.post(f"{door.sandbox_url}/_sandbox/faults", json=body)).status_code == 201
    for path in ("connection-check", "profile-refresh"):
        answer = await door.call("POST", f"/social-account/{path}", **named(account))
        assert answer.status_code == 200
        assert answer.json()["success"] is False
    assert (await door.accounts())[1]["state"] == "live"


async def test_no_channel_is_chosen_where_posts_name_theirs(door: Door) -> None:
    account = await door.connected()
    channel = account["channels"][0]["id"]
    for path, more in (("set-channel", {"channelId": channel}), ("unset-channel", {})):
        answer = await door.call("POST", f"/social-account/{path}", **named(account), **more)
        assert answer.status_code == 409


async def test_a_copy_shares_the_grant_and_no_token(door: Door) -> None:
    account = await door.connected()
    with psycopg.connect(door.database_url, autocommit=True) as connection:
        connection.execute(
            "insert into teams (id, organization_id, name) values (%s, %s, 'other')",
            (NOBODY, door.owner.organization_id),
        )
        body = {"fromTeamId": account["teamId"], "toTeamId": NOBODY, "socialAccountTypes": ["PINTEREST"]}
        for _ in range(2):
            answer = await door.call("POST", "/social-account/copy", **body)
            assert answer.status_code == 200
            assert {copy["teamId"] for copy in answer.json()} == {NOBODY}
            assert {copy["externalId"] for copy in answer.json()} == {account["externalId"], "123"}
        assert connection.execute("select count(*) from grants").fetchone() == (2,)
    gone = await door.call("DELETE", "/social-account/disconnect", **named(account))
    assert gone.status_code == 200
    copy = {"teamId": NOBODY, "type": "PINTEREST"}
    (kept,) = [
        each
        for each in (await door.api.get("/social-account", params=copy)).json()["items"]
        if each["externalId"] == account["externalId"]
    ]
    assert (await door.call("POST", "/social-account/connection-check", **named(kept))).json()["success"] is True


async def test_a_disconnected_account_is_gone_with_its_tokens(door: Door) -> None:
    account = await door.connected()
    answer = await door.call("DELETE", "/social-account/disconnect", **named(account))
    assert answer.json()["id"] == account["id"]
    assert (await door.call("DELETE", "/social-account/disconnect", **named(account))).status_code == 404
    with psycopg.connect(door.database_url) as connection:
        row = connection.execute(
            "select access_token, refresh_token, state from grants where external_user = %s", (account["externalId"],)
        ).fetchone()
        assert row == (None, None, "released")
        (type,) = connection.execute("select type from events order by created_at desc limit 1").fetchone() or ("",)
    assert type == "account.disconnected"


async def test_posts_are_reconnected_to_the_account_that_took_the_place(door: Door) -> None:
    old = await door.connected()
    posts = []
    for date in ("2030-01-02T03:04:05Z", "2020-01-01T00:00:00Z"):
        block = {
            "boardId": old["channels"][0]["id"], "text": "Hi", "mediaUrls": ["https://example.com/p.jpg"],
            "socialAccountIds": [old["id"]],
        }  # fmt: skip
        answer = await door.call(
            "POST", "/post", teamId=old["teamId"], title="T", postDate=date, status="SCHEDULED",
            socialAccountTypes=["PINTEREST"], data={"PINTEREST": block},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        posts.append(answer.json()["id"])
    where = {"teamId": old["teamId"], "type": "PINTEREST"}
    assert (await candidates(door, **where))["total"] == 0
    await door.call("DELETE", "/social-account/disconnect", **named(old))
    found = await candidates(door, **where)
    assert (found["total"], {item["id"] for item in found["items"]}) == (2, set(posts))
    assert {item["status"] for item in found["items"]} == {"ERROR"}
    new = await door.connected()
    body = {**where, "socialAccountId": new["id"]}
    answer = (await door.call("POST", "/post/reconnect-social-account", **body, postIds=[*posts, NOBODY, "x"])).json()
    assert (answer["total"], answer["succeeded"], answer["failed"]) == (4, 2, 2)
    told = {result["postId"]: result for result in answer["results"]}
    assert (told[posts[0]]["statusBefore"], told[posts[0]]["statusAfter"]) == ("ERROR", "SCHEDULED")
    assert (told[posts[1]]["statusBefore"], told[posts[1]]["statusAfter"]) == ("ERROR", "RETRYING")
    assert not told[NOBODY]["success"]
    for id in posts:
        (delivery,) = (await door.api.get(f"/post/{id}")).json()["deliveries"]
        assert delivery["socialAccountId"] == new["id"]
    assert (await candidates(door, **where))["total"] == 0
    again = (await door.call("POST", "/post/reconnect-social-account", **body)).json()
    assert again == {"total": 0, "succeeded": 0, "failed": 0, "results": []}


async def candidates(door: Door, **query: Any) -> dict[str, Any]:
    answer = await door.api.get("/post/reconnect-social-account/candidates", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/social-account/connect", {"type": "PINTEREST", "redirectUrl": "https://a.example/"}),
    ("POST", "/social-account/create-portal-link", {"socialAccountTypes": ["PINTEREST"]}),
    ("DELETE", "/social-account/disconnect", {"type": "PINTEREST"}),
    ("POST", "/social-account/connection-check", {"type": "PINTEREST"}),
    ("POST", "/social-account/profile-refresh", {"type": "PINTEREST"}),
    ("POST", "/social-account/refresh-channels", {"type": "PINTEREST"}),
    ("POST", "/social-account/set-channel", {"type": "PINTEREST", "channelId": "4711"}),
    ("POST", "/social-account/unset-channel", {"type": "PINTEREST"}),
    ("POST", "/post/reconnect-social-account", {"type": "PINTEREST"}),
]


async def test_a_stranger_finds_nothing_of_it(door: Door) -> None:
    key, mine = {"x-api-key": door.stranger.secret}, str(door.owner.team_id)
    for method, path, body in WRITES:
        for team in (mine, "nonsense", NOBODY):
            answer = await door.api.request(method, path, json={**body, "teamId": team}, headers=key)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    (account,) = await door.accounts()
    theirs = {"type": "PINTEREST", "teamId": str(door.stranger.team_id), "socialAccountId": account["id"]}
    for path in ("disconnect", "connection-check"):
        method = "DELETE" if path == "disconnect" else "POST"
        answer = await door.api.request(method, f"/social-account/{path}", json=theirs, headers=key)
        assert answer.status_code == 404
    for pair in ((mine, str(door.stranger.team_id)), (str(door.stranger.team_id), mine)):
        body = {"fromTeamId": pair[0], "toTeamId": pair[1], "socialAccountTypes": ["PINTEREST"]}
        answer = await door.api.post("/social-account/copy", json=body, headers=key)
        assert answer.status_code == 404
    for path in ("/social-account", "/social-account/by-type", "/post/reconnect-social-account/candidates"):
        query = {"teamId": mine, "type": "PINTEREST"}
        assert (await door.api.get(path, params=query, headers=key)).status_code == 404
    await door.call("PUT", "/app/PINTEREST", clientId="a", clientSecret="b")
    assert (await door.api.get("/app", headers=key)).json() == {"items": [], "total": 0}
    assert (await door.api.delete("/app/PINTEREST", headers=key)).status_code == 404
    assert (await door.api.put("/app/NOWHERE", json={"clientId": "a", "clientSecret": "b"})).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "paths"),
    [
        ("connect", {}, {"type", "teamId", "redirectUrl"}),
        ("connect", {"type": 1, "teamId": None, "redirectUrl": [], "x": 1}, {"type", "teamId", "redirectUrl", "x"}),
        ("create-portal-link", {"socialAccountTypes": [], "expiresIn": 4, "teamId": "x"}, {"socialAccountTypes",
         "expiresIn"}),
        ("create-portal-link", {"socialAccountTypes": ["PINTREST", "X"], "teamId": "x"}, {"socialAccountTypes"}),
        ("set-channel", {"channelId": ""}, {"channelId", "type", "teamId"}),
        ("copy", {"fromTeamId": "x", "toTeamId": "y", "socialAccountTypes": "PINTEREST"}, {"socialAccountTypes"}),
    ],
)  # fmt: skip
async def test_every_fault_of_a_request_is_told_at_once(
    door: Door, path: str, body: dict[str, Any], paths: set[str]
) -> None:
    answer = await door.call("POST", f"/social-account/{path}", **body)
    assert answer.status_code == 400, answer.text
    assert {issue["path"][0] for issue in answer.json()["issues"]} == paths


async def test_what_the_vendors_clients_send_beside_is_taken(door: Door) -> None:
    beside = {
        "serverUrl": "https://x.example", "disableAutoLogin": True, "tiktokForceLogin": False,
        "withBusinessScope": True, "forceBrowserOAuth": True, "instagramConnectionMethod": "FACEBOOK",
    }  # fmt: skip
    assert (await door.connect(**beside)).startswith(f"{door.url}/connect/")
    more = {"logoUrl": "https://x.example/l.png", "language": "de", "showModalOnConnectSuccess": True, "expiresIn": 5}
    assert (await door.portal(**beside, **more)).startswith(f"{door.url}/connect/")
