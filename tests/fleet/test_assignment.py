"""Assignment of cameras to hosts."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stream_ocr.fleet.assignment import Demand, Offer, assign

CAMERA = Demand(25.0)


def cameras(count: int) -> dict[str, Demand]:
    return {f"cam-{number:03}": CAMERA for number in range(count)}


def hosts(count: int, fps: float = 200.0) -> dict[str, Offer]:
    return {f"host-{number}": Offer(fps) for number in range(count)}


def moved(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {camera for camera, host in before.items() if after.get(camera, host) != host}


def test_assign_spreads_cameras_by_capacity():
    assert Counter(assign(cameras(12), hosts(3), {}).values()) == dict.fromkeys(hosts(3), 4)
    offers = {"small": Offer(100.0), "large": Offer(300.0)}
    assert Counter(assign(cameras(12), offers, {}).values()) == {"small": 3, "large": 9}


def test_assign_leaves_out_what_has_no_room():
    found = assign(cameras(20), hosts(2, 200.0), {})
    assert Counter(found.values()) == {"host-0": 8, "host-1": 8}
    assert assign(cameras(3), {"full": Offer(0.0)}, {}) == {}
    assert assign(cameras(3), {}, {}) == {}


def test_assign_respects_tags():
    demands = cameras(4) | {"gate": Demand(25.0, frozenset({"GPU", "north"}))}
    offers = hosts(2) | {"tagged": Offer(50.0, frozenset({"GPU", "north", "old"}))}
    assert assign(demands, offers, {})["gate"] == "tagged"
    assert "gate" not in assign(demands, hosts(2), {})


def test_assign_moves_only_the_cameras_of_a_host_that_is_gone():
    before = assign(cameras(60), hosts(10), {})
    after = assign(cameras(60), {name: offer for name, offer in hosts(10).items() if name != "host-3"}, before)
    assert moved(before, after) == {camera for camera, host in before.items() if host == "host-3"}


def test_assign_moves_few_cameras_to_a_new_host():
    before = assign(cameras(60), hosts(10), {})  # six on each, 0.75 of the capacity
    after = assign(cameras(60), hosts(11), before)
    assert 3 <= len(moved(before, after)) <= 6
    assert {after[camera] for camera in moved(before, after)} == {"host-10"}


def test_assign_takes_cameras_from_a_host_whose_capacity_falls():
    before = assign(cameras(8), hosts(2), {})
    offers = hosts(2) | {"host-0": Offer(50.0)}
    after = assign(cameras(8), offers, before)
    assert Counter(after.values()) == {"host-0": 2, "host-1": 6}
    assert len(moved(before, after)) == 2


_TAGS = st.frozensets(st.sampled_from(["GPU", "north", "south"]))
_DEMANDS = st.dictionaries(st.sampled_from([f"c{n}" for n in range(30)]), st.builds(Demand, st.floats(1, 60), _TAGS))
_OFFERS = st.dictionaries(st.sampled_from([f"h{n}" for n in range(6)]), st.builds(Offer, st.floats(0, 300), _TAGS))


@given(_DEMANDS, _OFFERS, _OFFERS)
def test_assign_keeps_all_rules_and_its_own_result(demands, before, after):
    current = assign(demands, before, {})
    found = assign(demands, after, current)
    used: Counter[str] = Counter()
    for camera, host in found.items():
        assert demands[camera].needs <= after[host].tags
        used[host] += demands[camera].fps
    assert all(used[host] <= after[host].fps + 1e-6 for host in after)
    assert assign(demands, after, found) == found, "a second run moves nothing"
    for camera in demands.keys() - found.keys():
        fits = [h for h in after if demands[camera].needs <= after[h].tags]
        assert all(used[host] + demands[camera].fps > after[host].fps - 1e-6 for host in fits), "no room is left unused"
