"""Echo, the shortest complete adapter: it says a post's text to a server that keeps what it hears."""

from typing import Annotated

from msgspec import Meta

from fingerpost import Adapter, Block, Draft, Field, Fill, Form, Profile, Published, Session, hookimpl, rule


class EchoBlock(Block, frozen=True, kw_only=True):
    text: Annotated[str, Meta(max_length=500, description="What is said.")] | None = None


class Echo(Adapter[EchoBlock]):
    platform, label, certainty = "ECHO", "Echo", "key"
    hosts, sandbox = {"api": "http://127.0.0.1:4010"}, "adapters.echo.sandbox:EchoSandbox"
    fills = (Fill(field="text", source="text"),)
    rehearsal = {"POST /messages": {"id": "<the message's id>"}}
    connect = Form(fields=(Field(name="name", label="Your name", help="Echo knows everybody by name alone."),))

    @rule("echo.text", "Say something: give text.", at="text", breaks={"text": " "})
    def says_something(self, draft: Draft[EchoBlock]) -> bool:
        return bool((draft.block.text or "").strip())

    async def publish(self, draft: Draft[EchoBlock], session: Session) -> Published:
        async def say() -> str:
            body, headers = {"text": draft.block.text}, {"Idempotency-Key": session.key}
            return str((await session.http.post("/messages", json=body, headers=headers)).json()["id"])

        said = await session.once("say", say)
        return Published(external_id=said, permalink=f"{session.hosts['api']}/messages/{said}")

    async def profile(self, session: Session) -> Profile:
        name = (await session.http.get("/me")).json()["name"]
        return Profile(external_user=name, username=name, display_name=name)


@hookimpl
def fingerpost_adapters() -> list[Echo]:
    return [Echo()]
