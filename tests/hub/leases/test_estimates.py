"""Estimates: from how long leases really were held, or none."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hub.leases.estimates import LEAST_RECORDS, MOST_PLACES, NO_GUESS, Guess, Holder, forecast, left_s


def test_too_few_records_say_nothing() -> None:
    records = [600.0] * (LEAST_RECORDS - 1)
    assert forecast([Holder(0, 1000)], [1000], [1000], records).place(0) == NO_GUESS
    assert forecast([Holder(0, 1000)], [1000], [1000], records).join(1000) == NO_GUESS


def test_where_everybody_stays_equally_long_the_queue_is_a_timetable() -> None:
    made = forecast([Holder(100, 1000), Holder(400, 1000)], [1000] * 4, [500, 1000], [600.0] * 10)
    assert [made.place(at) for at in range(4)] == [Guess(one, one) for one in (200, 500, 800, 1100)]
    assert (made.join(500), made.join(1000)) == (Guess(1400, 1400), Guess(1400, 1400))


def test_of_many_holders_the_first_leaves_soon() -> None:
    records = [float(60 * minutes) for minutes in range(1, 121)]
    alone = forecast([Holder(0, 125)], [125], [], records).place(0)
    among_many = forecast([Holder(0, 125)] * 16, [125], [], records).place(0)
    assert alone.median_s is not None
    assert among_many.median_s is not None
    assert among_many.median_s < alone.median_s / 4  # the first of sixteen, not the median of one


def test_who_has_outlasted_every_record_is_expected_to_stay_as_long_again() -> None:
    draws = sorted(left_s(1000.0, [10.0, 20.0], Random(at)) for at in range(999))
    assert 800 < draws[len(draws) // 2] < 1250


def test_a_share_that_everything_together_could_not_serve_has_no_estimate() -> None:
    made = forecast([Holder(0, 500)], [1000, 125], [], [600.0] * 10)
    assert made.place(0) == NO_GUESS


def test_the_end_of_a_queue_too_long_to_play_waits_in_proportion() -> None:
    made = forecast([Holder(0, 1000)] * 8, [1000] * 5000, [1000], [600.0] * 10)
    last_played, last = made.place(MOST_PLACES - 1).median_s, made.place(4999).median_s
    assert last_played is not None
    assert last is not None
    assert abs(last / last_played - 5000 / MOST_PLACES) < 0.01
    joining = made.join(1000).median_s
    assert joining is not None
    assert abs(joining / last - 1) < 0.05


@given(
    st.lists(st.builds(Holder, st.floats(0, 1e5), st.sampled_from([125, 500, 1000])), min_size=1, max_size=12),
    st.lists(st.sampled_from([125, 250]), max_size=12),
    st.lists(st.floats(0, 1e5), min_size=5, max_size=20),
)
def test_later_places_are_not_served_earlier_and_most_is_at_least_the_median(
    holders: list[Holder], queue: list[int], records: list[float]
) -> None:
    made = forecast(holders, queue, [125], records)
    guesses = [made.place(at) for at in range(len(queue))]
    medians = [guess.median_s for guess in guesses if guess.median_s is not None]
    assert medians == sorted(medians)
    assert all(guess.most_s is None or (guess.median_s or 0) <= guess.most_s for guess in guesses)
    assert made == forecast(holders, queue, [125], records)
