"""Kernel sources become modules once, whoever asks first."""

import sys
import threading

from manyhot.kernels import source


def test_threads_that_ask_at_once_get_one_whole_module(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "cache_folder", lambda: tmp_path)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(20):
            found, together = [], threading.Barrier(6)

            def ask(text=f"number = {number}\nkernel = 1\n", found=found, together=together):
                together.wait()
                found.append(source.module_of(text, "of this test").__dict__.get("kernel"))

            threads = [threading.Thread(target=ask) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert found == [1] * 6
    finally:
        sys.setswitchinterval(before)
    assert len(list(tmp_path.glob("*.py"))) == 20
    assert not list(tmp_path.glob("*.tmp"))
