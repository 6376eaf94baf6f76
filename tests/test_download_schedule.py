"""Which address is next: hosts in turn, pauses, and hosts that cannot be reached."""

import pytest

from download.schedule import Job, Schedule


class Clock:
    """Stands still until it is told to go on: what it shows is exactly how long was waited."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


def schedule(hosts: dict[str, int], per_host: int = 4, **options) -> Schedule:
    def jobs(host: str, count: int):
        return (Job(f"http://{host}/{i}", host, [f"{host}/{i}"]) for i in range(count))

    made = [(host, jobs(host, count)) for host, count in hosts.items()]
    return Schedule(made, per_host, clock=CLOCK, **options)


def next_job(schedule: Schedule) -> Job | None:
    """The next job, when its time has come; None where all are finished."""
    while (job := schedule.take()) is None and not schedule.over:
        pause = schedule.next_time()
        assert pause is not None, "nothing to wait for, and not over"
        CLOCK.now += pause
    return job


def taken(schedule: Schedule) -> Job:
    job = next_job(schedule)
    assert job is not None
    return job


def test_hosts_take_turns_and_second_tries_wait():
    plan = schedule({"a": 3, "b": 3}, per_host=2)
    first = [taken(plan) for _ in range(4)]
    assert sorted(job.host for job in first) == ["a", "a", "b", "b"]
    for job in first[1:]:
        plan.finish(job)
    plan.again(first[0], 0.2)
    last = [taken(plan), taken(plan)]
    assert {job.url for job in last} == {"http://a/2", "http://b/2"}
    for job in last:
        plan.finish(job)
    began = CLOCK.now
    assert next_job(plan) is first[0] and CLOCK.now - began == pytest.approx(0.2)
    plan.finish(first[0])
    assert next_job(plan) is None
    assert next_job(schedule({})) is None


def test_a_pause_holds_the_host_and_giving_up_hands_out_the_rest():
    plan = schedule({"a": 3}, per_host=1)
    first = taken(plan)
    plan.pause("a", 0.2)
    plan.finish(first)
    began = CLOCK.now
    second = taken(plan)
    assert CLOCK.now - began == pytest.approx(0.2)
    plan.give_up("a", "retry_later")
    plan.finish(second)
    third = taken(plan)
    assert (third.given_up, second.given_up) == ("retry_later", "")
    plan.finish(third)
    assert next_job(plan) is None


def test_hosts_are_read_as_they_are_needed():
    read = []

    def hosts():
        for number in range(1000):
            read.append(number)
            yield f"h{number}", [Job(f"http://h{number}/", f"h{number}", ["x"])]

    plan = Schedule(hosts(), per_host=1, width=8, clock=CLOCK)
    plan.finish(taken(plan))
    assert len(read) == 8
    for _ in range(19):
        plan.finish(taken(plan))
    assert len(read) <= 20 + 8


def test_a_hosts_jobs_are_read_as_they_are_needed():
    read = []

    def jobs():
        for number in range(9):
            read.append(number)
            yield Job(f"http://a/{number}", "a", ["x"])

    plan = Schedule([("a", jobs())], per_host=1, clock=CLOCK)
    job = taken(plan)
    assert read == [0]
    plan.finish(job)
    assert read == [0, 1]  # one is ready


def test_the_next_time_is_the_first_of_what_waits_and_never_in_the_past():
    plan = schedule({"a": 4, "b": 3}, per_host=3, aside=(8, 300))
    jobs = [taken(plan) for _ in range(6)]
    assert [job.host for job in jobs] == ["a", "b"] * 3
    assert [plan.unreachable("b", "connect") for _ in range(3)][-1] == "aside"
    plan.again(jobs[0], 20)
    assert (taken(plan).host, plan.next_time()) == ("a", 8)  # b, since nothing else may begin
    plan.again(jobs[2], 5)
    assert plan.next_time() == 5
    CLOCK.now += 400
    assert plan.next_time() == 0


def test_a_host_is_put_aside_for_8_seconds_and_for_5_minutes_at_most():
    for busy, expected in ((False, 8), (True, 300)):
        plan = schedule({"a": 4, "b": 8}, per_host=4)
        jobs = [taken(plan) for _ in range(8)]
        assert [plan.unreachable("a", "connect") for _ in range(3)][-1] == "aside"
        for job in jobs[1::2] if busy else ():
            plan.finish(job)
        if not busy:
            assert plan.take() is None
        assert plan.next_time() == expected


def test_a_host_that_was_put_aside_comes_back_at_that_moment():
    for hard in (False, True):
        plan = schedule({"a": 3, "b": 9}, per_host=3, aside=(4, 16))
        jobs = [taken(plan) for _ in range(6)]
        assert [plan.unreachable("a", "connect") for _ in range(3)][-1] == "aside"
        for job in jobs[::2]:
            plan.again(job, 0)
        for job in jobs[1:4:2] if hard else ():  # b may go on
            plan.finish(job)
        CLOCK.now += 16 if hard else 4
        hosts = {job.host for job in (plan.take(), plan.take()) if job}
        assert hosts == ({"a", "b"} if hard else {"a"})


def test_a_dead_host_is_put_aside_tried_once_more_and_given_up():
    plan = schedule({"dead": 20, "live": 3}, per_host=4, aside=(0.2, 0.4))
    tried, lived, given_up, verdicts = 0, [], 0, []
    while (job := next_job(plan)) is not None:
        if job.host == "live":
            lived.append(tried)
            plan.reached("live")
            plan.finish(job)
        elif job.given_up:
            assert job.given_up == "dns"
            given_up += 1
            plan.finish(job)
        else:
            tried += 1
            verdicts.append(plan.unreachable("dead", "dns"))
            if verdicts[-1] == "given_up":
                plan.finish(job)
            else:
                plan.again(job, 0)
    assert verdicts == ["counted", "counted", "aside", "given_up"]
    assert tried == 4 and given_up == 19
    assert max(lived) <= 3, "the live host was not held up"


def test_a_host_that_comes_back_is_fetched_as_any_other():
    plan = schedule({"a": 6}, per_host=2, aside=(0.05, 0.05))
    for _ in range(3):
        job = taken(plan)
        plan.unreachable("a", "connect")
        plan.again(job, 0)
    first = taken(plan)
    plan.reached("a")
    both = [first, taken(plan)]
    assert [job.given_up for job in both] == ["", ""], "two at once again"
    for job in both:
        plan.finish(job)
    for _ in range(4):
        plan.finish(taken(plan))
    assert next_job(plan) is None


def test_a_host_that_asked_for_a_pause_is_not_woken_early():
    plan = schedule({"a": 1}, aside=(0.01, 0.02))
    for _ in range(3):
        job = taken(plan)
        follows = plan.unreachable("a", "robots_unreachable")
        if follows == "aside":
            plan.pause("a", 0.3)
        began = CLOCK.now
        plan.again(job, 0)
    plan.finish(taken(plan))
    assert CLOCK.now - began == pytest.approx(0.3)


def test_what_was_under_way_when_its_host_was_put_aside_or_given_up_counts_for_nothing():
    plan = schedule({"dead": 7}, per_host=5, aside=(1, 1))
    jobs = [taken(plan) for _ in range(5)]
    assert [plan.unreachable("dead", "dns") for _ in jobs] == ["counted", "counted", "aside", "aside", "aside"]
    for job in jobs:
        plan.again(job, 0)
    CLOCK.now += 1
    assert plan.unreachable("dead", "dns") == "given_up"
    assert plan.unreachable("dead", "connect") == "given_up"
    left = [taken(plan) for _ in range(5)]
    assert [job.given_up for job in left] == ["dns"] * 5


def test_a_host_that_was_put_aside_shows_itself_with_one_job():
    plan = schedule({"a": 6}, per_host=3, aside=(2, 5))
    jobs = [taken(plan) for _ in range(3)]
    for job in jobs:
        plan.unreachable("a", "connect")
        plan.again(job, 0)
    assert (plan.take(), plan.next_time()) == (None, 2)  # nothing else is to be done
    CLOCK.now += 2
    first = plan.take()
    assert first is not None and plan.take() is None
    plan.reached("a")
    assert plan.take() is not None and plan.take() is not None and plan.take() is None


def test_a_host_that_was_put_aside_waits_for_other_work_but_not_for_ever():
    plan = schedule({"a": 3, "b": 9}, per_host=3, aside=(2, 5))
    jobs = [taken(plan) for _ in range(6)]
    assert [job.host for job in jobs] == ["a", "b"] * 3
    assert [plan.unreachable("a", "connect") for _ in range(3)] == ["counted", "counted", "aside"]
    for job in jobs[::2]:
        plan.again(job, 0)
    assert (plan.take(), plan.next_time()) == (None, 2)  # those of b are under way
    plan.finish(jobs[1])
    assert plan.next_time() == 5
    CLOCK.now += 4.9
    assert [job and job.host for job in (plan.take(), plan.take())] == ["b", "a"]


def test_a_host_without_a_job_is_done_with():
    plan = schedule({"none": 0, "a": 1, "nothing": 0})
    job = taken(plan)
    assert (job.attempts, job.seconds, plan.over) == (0, 0, False)
    plan.finish(job)
    assert next_job(plan) is None and plan.over and plan.next_time() is None


def test_a_job_that_goes_back_at_once_comes_first_again():
    plan = schedule({"a": 3}, per_host=1)
    job = taken(plan)
    plan.again(job, 0)
    assert plan.take() is job


def test_failures_are_counted_anew_once_a_host_has_answered():
    plan = schedule({"a": 3})
    taken(plan)
    assert [plan.unreachable("a", "connect") for _ in range(2)] == ["counted", "counted"]
    plan.reached("a")
    assert [plan.unreachable("a", "connect") for _ in range(3)] == ["counted", "counted", "aside"]


def test_a_host_that_is_given_up_while_it_pauses_hands_out_the_rest_at_once():
    plan = schedule({"a": 3}, per_host=1)
    job = taken(plan)
    plan.pause("a", 100)
    plan.finish(job)
    assert plan.take() is None
    plan.give_up("a", "too_many")
    rest = plan.take()
    assert rest is not None and rest.given_up == "too_many"


def test_a_host_that_is_offered_twice_begins_no_more_than_its_share():
    plan = schedule({"a": 3}, per_host=1)
    plan.finish(taken(plan))
    plan.pause("a", 0)  # its end offers the host once more
    assert plan.take() is not None and plan.take() is None
