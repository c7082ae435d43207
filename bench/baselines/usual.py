"""The baseline of accepting, as most teams would write it: FastAPI, pydantic, SQLAlchemy and Celery.

It makes the promises that the API makes: a key that is looked up by its hash, a limit for each key, an idempotency key,
both blocks checked, post and deliveries on disk before the answer, and a job for each delivery.
"""

import hashlib
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
import redis.asyncio as redis
from celery import Celery
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from sqlalchemy import DateTime, ForeignKey, String, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bench.baselines.checking import Checked, Parsed, judged, parsed
from bench.baselines.models import BLOCKS, Account
from bench.baselines.serving import serve
from bench.place import BOARD, Tenant
from core.settings import Settings

POOL_SIZE = 10
CALLS_A_MINUTE = 10_000_000
QUEUE = "bench-usual"


class Row(DeclarativeBase):
    """All tables."""

    type_annotation_map = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB, dict[str, str]: JSONB}


class KeyRow(Row):
    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID]
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class TeamRow(Row):
    __tablename__ = "teams"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]


class AccountRow(Row):
    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id"), index=True)
    platform: Mapped[str]
    channels: Mapped[dict[str, str]]


class PostRow(Row):
    __tablename__ = "posts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id"), index=True)
    title: Mapped[str]
    post_date: Mapped[datetime]
    status: Mapped[str]
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC), index=True)
    deliveries: Mapped[list["DeliveryRow"]] = relationship(lazy="raise")


class DeliveryRow(Row):
    __tablename__ = "deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    platform: Mapped[str]
    position: Mapped[int]
    block: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(index=True)
    due_at: Mapped[datetime] = mapped_column(index=True)


class IdempotencyRow(Row):
    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("organization_id", "key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID]
    key: Mapped[str]
    digest: Mapped[str]
    answer: Mapped[dict[str, Any]]


class Out(BaseModel):
    """What is answered: camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class DeliveryOut(Out):
    id: UUID
    platform: str
    account_id: UUID
    state: str
    due_at: datetime


class PostOut(Out):
    id: UUID
    team_id: UUID
    organization_id: UUID
    title: str
    status: str
    post_date: datetime
    social_account_types: list[str]
    data: dict[str, Any]
    deliveries: list[DeliveryOut]
    warnings: list[str]
    created_at: datetime


def create_app(settings: Settings, tenant: Tenant) -> FastAPI:
    """The application; its tables, and the tenant in them, are made when it starts."""
    where = conninfo_to_dict(settings.database_url)
    engine = create_async_engine(
        f"postgresql+asyncpg://postgres@/{where['dbname']}",
        connect_args={"host": where["host"], "port": where.get("port", 5432)},
        pool_size=POOL_SIZE,
        max_overflow=0,
    )
    app = FastAPI(openapi_url=None, lifespan=lambda _: _made(engine, tenant))
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    app.state.redis = redis.Redis.from_url(settings.redis_url)
    jobs = Celery("usual", broker=settings.redis_url.replace("unix://", "redis+socket://"))
    jobs.conf.update(task_default_queue=QUEUE, task_ignore_result=True)
    app.state.publish = jobs.task(name="usual.publish")(_publish)
    app.get("/health")(health)
    app.post("/api/v1/post/")(create)
    return app


def _publish(delivery_id: str) -> None:
    """What a worker would do, who is none of this measurement's business."""


async def health() -> dict[str, str]:
    return {"status": "ok"}


async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
    """A session for the time of a request."""
    async with request.app.state.sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(session_of)]


async def caller_of(request: Request, session: Session, x_api_key: Annotated[str, Header()]) -> KeyRow:
    """Whose key it is, if it has not called too often in this minute."""
    digest = hashlib.sha256(x_api_key.encode()).hexdigest()
    key = await session.scalar(select(KeyRow).where(KeyRow.hash == digest))
    if key is None:
        raise HTTPException(401, "This API key is not known.")
    window = f"calls:{key.id}:{int(time.time() // 60)}"
    async with request.app.state.redis.pipeline(transaction=False) as pipeline:
        calls, _ = await pipeline.incr(window).expire(window, 120).execute()
    if calls > CALLS_A_MINUTE:
        raise HTTPException(429, "Too many calls.")
    return key


async def envelope_of(request: Request) -> Parsed:
    """The envelope, read by pydantic from the bytes: FastAPI itself would decode them first, and stop at its faults."""
    return parsed(await request.body())


async def create(
    envelope: Annotated[Parsed, Depends(envelope_of)],
    request: Request,
    session: Session,
    caller: Annotated[KeyRow, Depends(caller_of)],
    idempotency_key: Annotated[str | None, Header()] = None,
) -> PostOut:
    """Check a post and take it in."""
    digest = hashlib.sha256(await request.body()).hexdigest()
    if idempotency_key is not None and (earlier := await _earlier(session, caller, idempotency_key, digest)):
        return earlier
    checked = await _checked(session, caller, envelope)
    row = _row(caller, checked)
    session.add(row)
    # The answer tells when it was created.
    await session.flush()
    answer = _answer(checked, row)
    if idempotency_key is not None:
        stored = answer.model_dump(mode="json", by_alias=True)
        organization = caller.organization_id
        session.add(IdempotencyRow(organization_id=organization, key=idempotency_key, digest=digest, answer=stored))
    try:
        await session.commit()
    except IntegrityError:
        await session.rollback()
        raise HTTPException(409, "A request with this Idempotency-Key is under way.") from None
    for delivery in row.deliveries:
        request.app.state.publish.apply_async((str(delivery.id),), eta=delivery.due_at)
    return answer


async def _earlier(session: AsyncSession, caller: KeyRow, key: str, digest: str) -> PostOut | None:
    wanted = (IdempotencyRow.organization_id == caller.organization_id, IdempotencyRow.key == key)
    found = await session.scalar(select(IdempotencyRow).where(*wanted))
    if found is None:
        return None
    if found.digest != digest:
        raise HTTPException(422, "This Idempotency-Key came before with another request.")
    return PostOut.model_validate(found.answer)


async def _checked(session: AsyncSession, caller: KeyRow, envelope: Parsed) -> Checked:
    if envelope.findings:
        raise HTTPException(400, [finding._asdict() for finding in envelope.findings])
    team = await session.scalar(
        select(TeamRow).where(
            TeamRow.id == UUID(envelope.post.team_id), TeamRow.organization_id == caller.organization_id
        )
    )
    if team is None:
        raise HTTPException(404, "There is no such team.")
    rows = await session.scalars(select(AccountRow).where(AccountRow.team_id == team.id))
    accounts = [Account(id=str(row.id), platform=row.platform, channels=row.channels) for row in rows]
    checked = judged(envelope, accounts, BLOCKS, {})
    if checked.errors:
        raise HTTPException(400, [finding._asdict() for finding in checked.findings])
    return checked


def _row(caller: KeyRow, checked: Checked) -> PostRow:
    post = checked.post
    due_at = max(post.post_date, datetime.now(UTC))
    return PostRow(
        organization_id=caller.organization_id,
        team_id=UUID(post.team_id),
        title=post.title,
        post_date=post.post_date,
        status=post.status,
        content=post.model_dump(mode="json", by_alias=True, exclude_unset=True),
        deliveries=[
            DeliveryRow(
                account_id=UUID(each.account.id),
                platform=each.platform,
                position=each.position,
                block=each.block,
                state="scheduled",
                due_at=due_at,
            )
            for each in checked.planned
            if each.account is not None
        ],
    )


def _answer(checked: Checked, row: PostRow) -> PostOut:
    return PostOut(
        id=row.id,
        team_id=row.team_id,
        organization_id=row.organization_id,
        title=row.title,
        status=row.status,
        post_date=row.post_date,
        social_account_types=checked.post.social_account_types,
        data=checked.post.data,
        deliveries=[
            DeliveryOut(
                id=each.id, platform=each.platform, account_id=each.account_id, state=each.state, due_at=each.due_at
            )
            for each in row.deliveries
        ],
        warnings=[finding.message for finding in checked.findings],
        created_at=row.created_at,
    )


@asynccontextmanager
async def _made(engine: AsyncEngine, tenant: Tenant) -> AsyncIterator[None]:
    """The tables, with the tenant's team, its accounts and its keys; for as long as the application runs."""
    async with engine.begin() as connection:
        await connection.run_sync(Row.metadata.create_all)
    organization, team = UUID(tenant.organization_id), UUID(tenant.team_id)
    async with AsyncSession(engine) as session:
        if not await session.scalar(select(func.count()).select_from(TeamRow)):
            session.add(TeamRow(id=team, organization_id=organization))
            await session.flush()
            session.add_all(AccountRow(team_id=team, platform=name, channels={BOARD.id: BOARD.name}) for name in BLOCKS)
            hashes = [hashlib.sha256(key.encode()).hexdigest() for key in tenant.keys]
            session.add_all(KeyRow(organization_id=organization, hash=each) for each in hashes)
            await session.commit()
    yield
    await engine.dispose()


def main() -> None:
    """Serve it; the tenant is the first argument, as JSON."""
    app = create_app(Settings.read(), msgspec.json.decode(sys.argv[1], type=Tenant))
    serve(app, app.router.lifespan_context(app))


if __name__ == "__main__":
    main()
