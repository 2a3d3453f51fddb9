"""Calls that come at the same time share one piece of work, and each gets its own answer."""

import asyncio

import pytest

from config.api.gathering import Gathered


async def at_once(work, items):
    return await work(items)


def gathered(work, **options):
    return Gathered(work, run=at_once, **options)


async def all_of(gather, items):
    return await asyncio.gather(*map(gather, items), return_exceptions=True)


async def test_what_comes_while_a_batch_is_worked_on_is_the_next_batch():
    batches, begun, door = [], asyncio.Event(), asyncio.Event()

    async def doubled(items):
        batches.append(list(items))
        begun.set()
        await door.wait()
        return [item * 2 for item in items]

    gather = gathered(doubled)
    first = asyncio.create_task(gather(1))
    await begun.wait()
    later = [asyncio.create_task(gather(item)) for item in (2, 3, 4)]
    await asyncio.sleep(0)
    door.set()
    assert [await first, *(await asyncio.gather(*later))] == [2, 4, 6, 8]
    assert batches == [[1], [2, 3, 4]]


async def test_a_batch_has_its_most():
    sizes = []

    async def work(items):
        sizes.append(len(items))
        return items

    assert await all_of(gathered(work, most=3), range(7)) == list(range(7))
    assert sizes == [3, 3, 1]


async def test_an_exception_among_the_results_is_its_own_callers():
    async def work(items):
        return [ValueError(item) if item == 2 else item for item in items]

    one, two, three = await all_of(gathered(work), (1, 2, 3))
    assert (one, three) == (1, 3)
    assert isinstance(two, ValueError)


async def test_work_that_fails_fails_its_whole_batch_and_the_next_is_done():
    async def work(items):
        if 1 in items:
            raise OSError("away")
        return items

    gather = gathered(work)
    assert all(isinstance(answer, OSError) for answer in await all_of(gather, (1, 2)))
    assert await gather(3) == 3


async def test_whoever_leaves_takes_nobody_along():
    door = asyncio.Event()

    async def work(items):
        await door.wait()
        return items

    gather = gathered(work)
    leaving, staying = asyncio.create_task(gather(1)), asyncio.create_task(gather(2))
    await asyncio.sleep(0)
    leaving.cancel()
    door.set()
    assert await staying == 2
    with pytest.raises(asyncio.CancelledError):
        await leaving


def test_each_event_loop_has_its_own_calls():
    async def work(items):
        return items

    gather = gathered(work)
    assert asyncio.run(all_of(gather, (1, 2))) == [1, 2]
    assert asyncio.run(all_of(gather, (3,))) == [3]


@pytest.mark.django_db(transaction=True)
async def test_on_its_own_it_runs_on_the_database_threads():
    from config.api.models import Account

    def names(slugs):
        found = dict(Account.objects.filter(slug__in=slugs).values_list("slug", "name"))
        return [found.get(slug) for slug in slugs]

    await Account.objects.acreate(slug="here", name="Here")
    assert await all_of(Gathered(names), ("here", "nowhere")) == ["Here", None]
