"""Locks by name: one for everybody who asks at once, never the one of another name, and gone when nobody needs it."""

import gc
import threading

from stan.common.locks import NamedLocks


def test_a_thread_may_hold_the_locks_of_many_names():
    locks = NamedLocks()
    held = [locks(str(number)) for number in range(500)]
    assert all(lock.acquire(blocking=False) for lock in held)
    assert not locks("7").acquire(blocking=False)
    for lock in held:
        lock.release()


def test_who_waits_for_a_name_waits_for_the_lock_that_is_held():
    locks, done = NamedLocks(), []

    def other():
        with locks("a"):
            done.append("other")

    with locks("a"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.2)
        gc.collect()
        assert thread.is_alive() and not done
        done.append("first")
    thread.join()
    assert done == ["first", "other"]


def test_locks_that_nobody_holds_are_not_kept():
    locks = NamedLocks()
    for number in range(100):
        with locks(str(number)):
            pass
    gc.collect()
    assert len(locks._locks) == 0
