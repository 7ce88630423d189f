from dataclasses import replace
from datetime import timedelta

from hub.gpu.model import DeviceStatus
from hub.gpu.nvml import DeviceUsage
from hub.gpu.simulated import parse_simulated
from hub.leases.model import DeviceView, Lease, LeaseStatus
from hub.web.device_meter import DeviceMeter, Reading
from hub.web.device_view import MOST_NODES, DevicesView, Viewer, devices_view
from tests.hub.web.shares import MACHINE, NOW, a_lease, profiles_on, views_of, words

PROFILES = {
    **profiles_on(*parse_simulated("H100-80GB")),
    **profiles_on(*parse_simulated("H100-80GB:mig")),
    **profiles_on(MACHINE),
}
GPU = "simulated-0/gpu0"
LEARNER = Viewer("lin.na", {})
ADMINISTRATOR = Viewer("ada", {"lin.na": "林娜", "wang.wei": "王伟"}, frozenset({"lin.na", "wang.wei"}))


def draw(
    views: list[DeviceView],
    viewer: Viewer = LEARNER,
    waiting: tuple[Lease, ...] = (),
    reading: Reading | None = None,
    wanted: str = "",
) -> DevicesView:
    return devices_view(
        views,
        waiting,
        viewer,
        words(),
        PROFILES,
        now=NOW + timedelta(minutes=5),
        reading=reading or Reading(),
        wanted=wanted,
    )


def test_a_device_is_a_bar_of_its_shares_side_by_side() -> None:
    half, quarter = PROFILES["h100-80gb.half"], PROFILES["h100-80gb.quarter"]
    leases = (
        a_lease(half, "lin.na", order=2, device=GPU),
        a_lease(quarter, "wang.wei", order=1, device=GPU),
        a_lease(quarter, "li.hua", order=3, device=GPU, status=LeaseStatus.OFFERED),
    )
    (node,) = draw(views_of("H100-80GB", *leases)).nodes
    (card,) = node.cards
    assert [(part.start, part.width, part.kind) for part in card.parts] == [
        (0, 25, "used"),
        (25, 50, "yours"),
        (75, 25, "offered"),
    ]
    assert (card.used_percent, node.used_percent, card.parts[0].held_for) == (100, 100, "about 5 minutes")


def test_mig_instances_lie_where_their_slices_are() -> None:
    one, three = PROFILES["h100-80gb.1g.10gb"], PROFILES["h100-80gb.3g.40gb"]
    leases = (
        a_lease(one, order=1, device=GPU, start=2),
        replace(a_lease(three, "wang.wei", order=2, device=GPU, start=4)),
    )
    (card,) = draw(views_of("H100-80GB:mig", *leases)).nodes[0].cards
    assert [part.start for part in card.parts] == [25, 50]
    assert card.slices == 8


def test_names_and_taking_back_are_for_those_who_administer_the_holder() -> None:
    whole = PROFILES["h100-80gb.whole"]
    views = views_of("2xH100-80GB", a_lease(whole, "wang.wei", device=GPU))
    part = draw(views).nodes[0].cards[0].parts[0]
    assert (part.holder, part.lease) == ("", "")
    part = draw(views, ADMINISTRATOR).nodes[0].cards[0].parts[0]
    assert (part.holder, part.lease) == ("王伟", "lease-1")
    stranger = Viewer("bob", {"zhou.jie": "周杰"}, frozenset({"zhou.jie"}))
    part = draw(views, stranger).nodes[0].cards[0].parts[0]
    assert (part.holder, part.lease) == ("", "")


def test_the_queue_shows_learners_their_own_place_and_administrators_all() -> None:
    eighth = PROFILES["h100-80gb.eighth"]
    waiting = tuple(
        a_lease(eighth, owner, order=order, status=LeaseStatus.WAITING)
        for order, owner in enumerate(["wang.wei", "li.hua", "lin.na"])
    )
    (queue,) = draw(views_of("H100-80GB"), waiting=waiting).queues
    assert (queue.count, [(line.position, line.yours) for line in queue.lines]) == (3, [(3, True)])
    (queue,) = draw(views_of("H100-80GB"), ADMINISTRATOR, waiting).queues
    assert [(line.position, line.holder) for line in queue.lines] == [(1, "王伟"), (3, "林娜")]


def test_processors_are_a_device_with_the_load_of_the_machine() -> None:
    view = draw(views_of("", a_lease(PROFILES["cpu.half"]), machine=True), reading=Reading(load=1.25, cpus=2))
    (card,) = view.nodes[0].cards
    assert (card.label, card.used_percent, card.parts[0].kind) == ("CPU", 50, "yours")
    assert card.measured == "load of this machine: 1.2 on 2 processors"


def test_a_lost_device_is_shown_as_lost() -> None:
    (view,) = views_of("H100-80GB")
    lost = replace(view, device=replace(view.device, status=DeviceStatus.LOST))
    shown = draw([lost])
    assert (shown.lost_count, shown.nodes[0].lost, shown.nodes[0].cards[0].lost) == (1, 1, True)


def test_a_large_centre_is_folded_into_machines_and_one_can_be_looked_at() -> None:
    views = views_of("1000xH100-80GB")
    shown = draw(views)
    assert (shown.device_count, shown.node_count, len(shown.nodes)) == (1000, 125, MOST_NODES)
    assert all(node.folded for node in shown.nodes)
    assert [node.name for node in shown.nodes[:3]] == ["simulated-0", "simulated-1", "simulated-2"]
    one = draw(views, wanted="simulated-1")
    assert [(node.name, node.folded) for node in one.nodes] == [("simulated-1", False)]
    assert len(draw(views, wanted="SIMULATED-12").nodes) == 6
    assert draw(views, wanted="nothing").nodes == ()


async def test_the_driver_is_asked_once_for_everybody_who_looks() -> None:
    asked = []

    def look() -> Reading:
        asked.append(1)
        return Reading({"x": DeviceUsage("x", 1, 2, 3)})

    meter = DeviceMeter(look)
    assert (await meter.read()).usage.keys() == {"x"}
    await meter.read()
    assert len(asked) == 1
