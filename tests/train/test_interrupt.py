"""Ctrl-C: the first is remembered, the second raises, and afterwards all is as before."""

import signal
import threading

import pytest

from manyhot.train.interrupt import interrupts


def test_the_first_is_remembered():
    with interrupts() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()


def test_the_second_raises():
    with interrupts():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_the_handler_is_the_one_before():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="inside"), interrupts():
        raise RuntimeError("inside")
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_nothing_is_touched():
    answers = []

    def run():
        with interrupts() as asked:
            answers.append(asked())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert answers == [False]
