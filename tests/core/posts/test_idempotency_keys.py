"""Idempotency keys are forgotten after their time, and not before."""

from core.posts.idempotency import KEPT_HOURS, Keys
from tests.world import Pool


async def test_only_keys_whose_time_is_over_are_forgotten(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("insert into organizations (id, name) values (gen_random_uuid(), 'o')")
        for name, hours in (("old", KEPT_HOURS + 1), ("young", KEPT_HOURS - 1)):
            await connection.execute(
                "insert into idempotency_keys (organization_id, route, key, digest, post_id, created_at)"
                " select id, 'r', %s, '', gen_random_uuid(), now() - %s * interval '1 hour' from organizations",
                [name, hours],
            )
    assert await Keys(pool).expire() == 1
    async with pool.connection() as connection:
        rows = await (await connection.execute("select key from idempotency_keys")).fetchall()
    assert rows == [("young",)]
