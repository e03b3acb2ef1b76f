"""Answers to a watch that broke real clients. After each the copy is right, and the way there was no busy loop."""

import asyncio

import pytest

from controller.runtime.cache.store import EventType
from controller.runtime.client.core import NODES
from controller.runtime.manifest import version_of
from tests.controller.runtime.faults.world import backed_off, gaps, versions, world
from tests.fakes import faults
from tests.fakes.api_server import Answer

pytestmark = pytest.mark.looptime


async def test_empty_answer_to_a_watch() -> None:
    async with world() as w:
        w.api.play(*[faults.events()] * 5, on="watch")
        w.api.hang_up(NODES)
        await w.until(lambda: len(w.asked("watch")) == 7)
        w.put("c")
        await w.until_agreed()
        empty = w.asked("watch")[1:]
        assert backed_off(gaps(empty)), "each empty answer counts as a failure"
        assert len(set(versions(empty))) == 1, "and the version is as good as before"
        assert len(w.asked()) == 7


@pytest.mark.parametrize("kind", ["BOOKMARK", "MODIFIED"])
async def test_each_watch_brings_one_thing_and_ends(kind: str) -> None:
    async with world() as w:
        before, known = len(w.asked()), w.api.objects(NODES)["b"]
        w.api.play(*[faults.events((kind, known))] * 20, on="watch")
        w.api.hang_up(NODES)
        await asyncio.sleep(60.0)
        assert backed_off(gaps(w.asked(after=before))[1:]), "the first may have been by chance"
        assert set(versions(w.asked(after=before))[1:]) == {version_of(known)}
        w.put("c")
        await w.until_agreed()
        assert {one.occasion for one in w.asked(after=before)} == {"watch"}, "nothing is read anew, nothing is lost"


async def test_html_502() -> None:
    async with world() as w:
        w.api.play(*[faults.html(502)] * 4, on="watch")
        w.api.hang_up(NODES)
        await w.until(lambda: len(w.asked("watch")) == 6)
        w.put("c")
        await w.until_agreed()
        assert backed_off(gaps(w.asked("watch")[1:]))
        assert len(set(versions(w.asked("watch")[1:]))) == 1
        assert [event.key for event in w.told] == ["c"], "a page is no event"
        assert len(w.asked()) == 6


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming list", "paged list"])
async def test_http_410(streaming: bool) -> None:
    async with world(streaming=streaming) as w:
        before = len(w.asked())
        w.put("c")
        w.api.compact(NODES)
        w.api.play(faults.refusal(410, "Expired"), on="watch")
        w.api.hang_up(NODES)
        await w.until_agreed()
        refused, again = w.asked(after=before)[:2]
        assert refused.query["resourceVersion"]
        assert again.was("stream" if streaming else "list")
        assert again.query.get("resourceVersion") is None, "the version that is gone is not asked for again"
        assert 0.8 <= again.at - refused.at <= 1.8
        assert len(w.asked(after=before)) == (2 if streaming else 3)


async def test_in_stream_410() -> None:
    async with world() as w:
        before = len(w.asked())
        w.put("c")
        w.api.compact(NODES)
        w.api.play(faults.gone_in_stream(), on="watch")
        w.api.hang_up(NODES)
        await w.until_agreed()
        refused, again = w.asked(after=before)
        assert versions([again]) == [None]
        assert 0.8 <= again.at - refused.at <= 1.8
        assert [event.key for event in w.told] == ["c"], "what was known is not told again"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.half_open(), id="after the headers"),
        pytest.param(faults.silence(), id="before the headers"),
    ],
)
async def test_half_open_socket(fault: Answer) -> None:
    async with world() as w:
        before = len(w.asked())
        w.api.play(fault, on="watch")
        w.api.hang_up(NODES)
        await w.until(lambda: len(w.asked(after=before)) == 1)
        w.put("c")
        await w.until_agreed()
        silent, again = w.asked(after=before)
        guard = int(silent.query["timeoutSeconds"]) + 5
        assert 300 <= guard <= 605
        assert again.at - silent.at == pytest.approx(guard, abs=2.0), "five seconds after the server should have"
        assert versions([silent]) == versions([again])


async def test_unordered_initial_added() -> None:
    async with world() as w:
        old, new = (version_of(obj) for obj in w.api.objects(NODES).values())
        before = len(w.asked())
        cut = [("ADDED", obj) for obj in reversed(w.api.objects(NODES).values())]
        w.api.compact(NODES)
        w.api.play(faults.refusal(410, "Expired"), faults.events(*cut), on="watch")
        w.api.hang_up(NODES)
        await w.until(lambda: len(w.asked(after=before)) == 4)
        w.put("c")
        await w.until_agreed()
        sent = w.asked(after=before)
        assert [one.occasion for one in sent] == ["watch", "watch", "list", "watch"]
        assert not {old, new} & set(versions(sent[2:])), "no version is taken from events without an order"
        assert int(versions(sent)[3] or "") > int(new)
        assert [event.key for event in w.told] == ["c"], "half a list tells nothing"


async def test_a_line_over_4_mib() -> None:
    async with world() as w:
        before = len(w.asked())
        w.put("c", note="x" * 5_000_000)
        await w.until_agreed()
        w.put("c", note="y" * 5_000_000)
        w.put("d")
        await w.until_agreed()
        assert w.asked(after=before) == [], "the watch goes on"
        assert (w.informer.store.get("c") or {})["spec"]["note"][:1] == "y"


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming list", "paged list"])
async def test_a_delete_missed_across_a_relist(streaming: bool) -> None:
    async with world(streaming=streaming) as w:
        before, last = len(w.asked()), w.informer.store.get("a")
        await w.api.stop()
        w.api.remove(NODES, "a")
        w.put("c")
        w.api.compact(NODES)
        await w.api.start()
        await w.until_agreed()
        deleted = [event for event in w.told if event.type is EventType.DELETED]
        assert [(event.key, event.old) for event in deleted] == [("a", last)], "told once, with the last known state"
        assert w.reconciled[-1][0] != "b", "what did not change is not reconciled"
        assert len(w.asked(after=before)) <= (2 if streaming else 3)


async def test_a_watch_closed_every_second() -> None:
    async with world() as w:
        started, before = w.clock.monotonic(), len(w.asked())
        for number in range(120):
            if number % 10 == 0:
                w.put(f"n-{number}")
            await asyncio.sleep(1.0)
            w.api.hang_up(NODES)
        await w.until_agreed(limit=40.0)
        took = w.clock.monotonic() - started
        assert 10 < len(w.asked(after=before)) <= took + 1, "no more than one watch a second"
        assert {one.occasion for one in w.asked(after=before)} == {"watch"}
        assert not any(one.was("stream") for one in w.asked(after=before)), "nothing is read anew"
        known = [int(version or "") for version in versions(w.asked(after=before))]
        assert known == sorted(known)
        assert len(set(known)) >= 12, "each watch begins where the one before ended"
        assert [event.key for event in w.told] == [f"n-{number}" for number in range(0, 120, 10)]


async def test_duplicate_events() -> None:
    async with world() as w:
        stored = w.put("c")
        await w.until_agreed()
        w.api.play(faults.events(("ADDED", stored), ("MODIFIED", stored), ("MODIFIED", stored)), on="watch")
        w.api.hang_up(NODES)
        w.put("d")
        await w.until_agreed()
        assert [event.key for event in w.told] == ["c", "d"]
        assert [key for key, _ in w.reconciled].count("c") == 1


async def test_a_resource_version_that_goes_back_after_an_etcd_restore() -> None:
    async with world() as w:
        w.api.rewind(5000)
        w.put("lost")
        w.put("a", size=2)
        await w.until_agreed()
        before = len(w.asked())
        await w.api.stop()
        w.api.rewind(200)
        del w.api.objects(NODES)["lost"]
        w.put("a", size=1)
        await w.api.start()
        await w.until_agreed()
        w.put("c")
        await w.until_agreed()
        sent = w.asked(after=before)
        assert versions(sent)[:2] == ["5002", None], "a version of the future is dropped for the latest state"
        assert all(int(version or "0") < 300 for version in versions(sent)[1:])
        assert (w.informer.store.get("a") or {})["spec"] == {"size": 1}
        assert len(sent) <= 3


async def test_a_resource_version_that_comes_again_with_other_content() -> None:
    async with world() as w:
        held = version_of(w.api.objects(NODES)["b"])
        await w.api.stop()
        w.api.rewind(int(held) - 1)
        assert version_of(w.put("b", restored=True)) == held
        w.api.rewind(90)
        await w.api.start()
        await w.until(lambda: [key for key, _ in w.reconciled].count("b") == 2)
        assert (w.informer.store.get("b") or {})["spec"] == {"restored": True}
        assert [key for key, _ in w.reconciled].count("a") == 1, "what is the same is not reconciled again"
