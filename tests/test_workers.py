"""Workers: a task that crashes, hangs or eats all memory costs itself, and nothing is left behind."""

import contextlib
import ctypes
import logging
import operator
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from vidgan.errors import MediaError, VidganError
from vidgan.footage import workers
from vidgan.footage.workers import WorkerFailure, run_in_workers

LINUX = sys.platform == "linux"

# Tasks


def count_to(number, pause=0.0):
    for step in range(number):
        time.sleep(pause)
        yield step
    return f"counted to {number}"


def crash():
    ctypes.string_at(0)


def die_within_a_message():
    """Say on every socket that a message of 100 bytes comes, and die after 4 of them."""
    for handle in range(3, 100):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(handle).st_mode):
                os.write(handle, b"\0\0\0\x64\x80\x04\x95\x05")
    os.kill(os.getpid(), signal.SIGKILL)


def hang_within_c():
    """Hold the interpreter's lock for good, as a decoder may."""
    ctypes.PyDLL(None).pause()


def eat_memory():
    eaten = []
    while True:
        eaten.append(bytearray(50_000_000))


def eat_a_little_memory(num_bytes):
    return len(bytearray(num_bytes))


def refuse():
    raise MediaError("a.mov: no pictures in it")


def chatter():
    os.write(1, b"[h264 @ 0x55] non-existing PPS 0 referenced\n" * 10)
    os.write(2, b"[h264 @ 0x55] non-existing PPS 0 referenced\n" * 100_000)
    print("frame=   12 fps=0.0 q=-0.0", flush=True)
    return "said"


def surroundings():
    return str(Path.cwd()), os.environ.get("OCIO"), os.environ["OMP_NUM_THREADS"]


def unpicklable():
    return lambda: None


class OnlyThere:
    def __reduce__(self):
        return operator.truediv, (1, 0)


def import_heavy():
    import av
    import cv2
    import numpy
    import OpenImageIO
    import torch

    return [module.__name__ for module in (av, cv2, numpy, OpenImageIO, torch)], len(bytearray(2_000_000_000))


# Helpers


@pytest.fixture(autouse=True)
def resting():
    """Each test begins and ends without workers."""
    dismiss()
    yield
    dismiss()


def dismiss():
    while workers._resting:
        workers._resting.pop().end()


def run(*tasks, **settings):
    """Results in the order of the tasks."""
    results = list(run_in_workers(tasks, **settings))
    assert sorted(index for index, _ in results) == list(range(len(tasks)))
    return [result for _, result in sorted(results, key=operator.itemgetter(0))]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def start_parent(code):
    """A script without a guard around its main part, in a process group of its own."""
    code = "import os, sys, time\nfrom vidgan.footage.workers import run_in_workers\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


# What comes back


def test_each_result_has_the_index_of_its_task_whatever_ends_first():
    tasks = [(count_to, (1, 0.6)), (operator.add, (1, 2)), (operator.add, (3, 4))]
    found = list(run_in_workers(tasks, num_workers=2))
    assert found == [(1, 3), (2, 7), (0, "counted to 1")]


def test_no_tasks_need_no_worker():
    assert run() == []
    assert workers._resting == []


def test_what_a_task_yields_is_progress():
    seen = []
    tasks = [(count_to, (3,)), (count_to, (2,))]
    assert run(*tasks, on_progress=lambda *step: seen.append(step)) == ["counted to 3", "counted to 2"]
    assert [step for index, step in seen if index == 0] == [0, 1, 2]
    assert [step for index, step in seen if index == 1] == [0, 1]


def test_many_small_tasks_are_quick():
    run((operator.add, (0, 0)), (operator.add, (0, 0)), num_workers=2)
    began = time.monotonic()
    assert run(*[(operator.mul, (n, n)) for n in range(200)], num_workers=2) == [n * n for n in range(200)]
    assert time.monotonic() - began < 1.0


def test_large_results_come_whole():
    assert run(*[(operator.mul, (b"abc", 3_000_000))] * 3, num_workers=2) == [b"abc" * 3_000_000] * 3


def test_an_error_that_the_user_can_mend_comes_back_itself():
    (error,) = run((refuse, ()))
    assert type(error) is MediaError
    assert str(error) == "a.mov: no pictures in it"


def test_a_bug_comes_back_with_its_traceback_and_is_logged(caplog):
    with caplog.at_level(logging.ERROR, "vidgan"):
        failure, after = run((operator.add, (1, None)), (operator.add, (1, 1)), num_workers=1)
    assert failure.reason == "unexpected TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'"
    assert failure.traceback.startswith("Traceback")
    assert after == 2
    assert caplog.records[0].getMessage().startswith("add: unexpected TypeError")
    assert failure.traceback in caplog.text


@pytest.mark.parametrize("result", [unpicklable, OnlyThere])
def test_a_result_that_cannot_travel_is_a_bug_and_costs_its_task_only(result):
    failure, after = run((result, ()), (operator.add, (1, 1)), num_workers=1)
    assert failure.reason.startswith("unexpected ")
    assert "Traceback" in failure.traceback
    assert after == 2


# What breaks


def test_a_crash_costs_its_task_only():
    tasks = [(operator.add, (1, 1)), (crash, ()), (operator.add, (2, 2)), (crash, ()), (operator.add, (3, 3))]
    failure = WorkerFailure("the decoder crashed (signal SIGSEGV)")
    for num_workers in (1, 2):
        assert run(*tasks, num_workers=num_workers) == [2, failure, 4, failure, 6]


def test_an_end_without_a_crash_is_named_too():
    exited, killed = run((os._exit, (3,)), (die_within_a_message, ()), num_workers=1)
    assert exited.reason == "the decoder ended its process (exit code 3)"
    assert killed.reason.endswith("ran out of memory (signal SIGKILL)")


@pytest.mark.parametrize("hang", [(time.sleep, (100,)), (hang_within_c, ())])
def test_silence_costs_its_task_only(hang):
    began = time.monotonic()
    hung, counted = run(hang, (count_to, (2,)), silence_seconds=1, num_workers=1)
    assert hung.reason == "no frame for 1 seconds; given up"
    assert counted == "counted to 2"
    assert 1 < time.monotonic() - began < 4


def test_progress_ends_a_silence():
    assert run((count_to, (5, 0.3)), silence_seconds=0.7) == ["counted to 5"]


def test_ctrl_z_is_no_silence():
    parent = start_parent("""
        tasks = [(exec, ("import time\\nfor _ in range(9): time.sleep(0.1)",))]
        for _, result in run_in_workers(tasks, silence_seconds=1.5):
            print(result)
    """)
    time.sleep(0.6)
    os.killpg(parent.pid, signal.SIGSTOP)
    time.sleep(1.7)
    os.killpg(parent.pid, signal.SIGCONT)
    assert parent.communicate(timeout=10) == ("None\n", "")


@pytest.mark.skipif(not LINUX, reason="memory is limited on Linux only")
def test_a_task_that_eats_all_memory_costs_itself_only():
    tasks = [(eat_memory, ()), (eat_a_little_memory, (100_000_000,))]
    failure, eaten = run(*tasks, memory_bytes=400_000_000, num_workers=1)
    assert failure == WorkerFailure("needed more than 0.4 GB of memory")
    assert eaten == 100_000_000


@pytest.mark.skipif(not LINUX, reason="memory is limited on Linux only")
def test_each_call_sets_its_own_limit_of_memory():
    task = (eat_a_little_memory, (300_000_000,))
    assert run(task) == [300_000_000]
    assert isinstance(run(task, memory_bytes=200_000_000)[0], WorkerFailure)
    run((operator.add, (1, 1)), memory_bytes=200_000_000)
    assert run(task) == [300_000_000]


def test_the_smallest_memory_holds_the_heaviest_libraries_and_leaves_two_gigabytes():
    names, num_bytes = run((import_heavy, ()), memory_bytes=workers.SMALLEST_MEMORY_BYTES)[0]
    assert (len(names), num_bytes) == (5, 2_000_000_000)


def test_chatter_harms_nothing_and_is_not_shown(capfd):
    assert run((chatter, ()), (chatter, ()), num_workers=1) == ["said", "said"]
    assert capfd.readouterr() == ("", "")


def test_workers_that_cannot_start_are_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "vidgan").mkdir()
    (tmp_path / "vidgan/__init__.py").write_text("raise ImportError('libfoo.so.3 is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(VidganError, match=r"cannot be started: ImportError: libfoo\.so\.3 is missing"):
        run((operator.add, (1, 1)))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(VidganError, match=r"cannot be started: .*No such file"):
        run((operator.add, (1, 1)))


# Who is reused, and who ends


def test_workers_serve_the_next_call():
    first = set(run((os.getpid, ()), (time.sleep, (0.1,)), num_workers=1))
    assert set(run((os.getpid, ()), (time.sleep, (0.1,)), num_workers=1)) == first


def test_a_ctrl_c_that_the_caller_lives_through_is_no_end_of_its_workers():
    (first,) = run((os.getpid, ()))
    os.kill(first, signal.SIGINT)
    assert run((os.getpid, ())) == [first]


def test_a_worker_that_died_at_rest_is_replaced():
    (first,) = run((os.getpid, ()))
    os.kill(first, signal.SIGKILL)
    (second,) = run((os.getpid, ()))
    assert second != first


def test_a_worker_that_crashed_or_hung_does_not_come_back():
    tasks = [(crash, ()), (time.sleep, (100,)), (os.getpid, ())]
    *_, pid = run(*tasks, num_workers=1, silence_seconds=0.5)
    assert [worker.process.pid for worker in workers._resting] == [pid]


def test_workers_are_where_their_caller_is_at_each_call(tmp_path, monkeypatch):
    monkeypatch.delenv("OCIO", raising=False)
    assert run((surroundings, ())) == [(str(Path.cwd()), None, "1")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCIO", "studio.ocio")
    assert run((surroundings, ())) == [(str(tmp_path.resolve()), "studio.ocio", "1")]
    (tmp_path / "late.py").write_text("def found():\n    return 'late'\n")
    monkeypatch.syspath_prepend(tmp_path)
    late = __import__("late")
    assert run((late.found, ())) == ["late"]


def test_a_file_in_the_current_folder_is_not_taken_for_a_module(tmp_path, monkeypatch):
    (tmp_path / "queue.py").write_text("raise RuntimeError('a plate called queue.py')")
    monkeypatch.chdir(tmp_path)
    assert run((operator.add, (1, 1))) == [2]


def test_a_closed_call_kills_the_busy_and_keeps_the_idle(monkeypatch):
    hired, hire = [], workers._hire
    monkeypatch.setattr(workers, "_hire", lambda: hired.append(hire()) or hired[-1])
    call = run_in_workers([(os.getpid, ()), (time.sleep, (100,))], num_workers=2)
    _, idle = next(call)
    assert [worker.process.pid for worker in workers._resting] == [idle]
    began = time.monotonic()
    call.close()
    assert time.monotonic() - began < 1
    codes = {worker.process.pid: worker.process.returncode for worker in hired}
    assert codes.pop(idle) is None
    assert None not in codes.values()  # dead, by the kill or by themselves, and no zombie
    assert run((os.getpid, ())) == [idle]


def test_nothing_stays_open():
    before, num_threads = sorted(os.listdir("/dev/fd")), threading.active_count()  # noqa: PTH208
    run((crash, ()), (operator.add, (1, 1)), (refuse, ()), (time.sleep, (9,)), silence_seconds=0.5, num_workers=2)
    dismiss()
    assert sorted(os.listdir("/dev/fd")) == before  # noqa: PTH208
    assert threading.active_count() == num_threads


def test_a_fork_leaves_its_parents_workers_alone():
    (pid,) = run((os.getpid, ()))
    fork = os.fork()
    if fork == 0:
        (other,) = run((os.getpid, ()))
        dismiss()
        os._exit(0 if other != pid else 1)
    assert os.waitpid(fork, 0)[1] == 0
    assert run((os.getpid, ())) == [pid]


def test_a_script_without_a_guard_ends_without_a_word():
    parent = start_parent("""
        print(*[result for _, result in run_in_workers([(os.getpid, ())] * 4, num_workers=2)])
        call = run_in_workers([(os.getpid, ()), (time.sleep, (100,))], num_workers=2)
        print(next(call)[1])
    """)
    out, error = parent.communicate(timeout=10)
    assert (parent.returncode, error) == (0, "")
    assert wait_until(lambda: not any(is_alive(int(pid)) for pid in out.split()))


@pytest.fixture(params=["time.sleep(100)", "while True: pass", "ctypes.CDLL(None).pause()"])
def parent(request, tmp_path):
    """A script with one worker at rest and one in a task without end, and the numbers of the two."""
    report = tmp_path / "pid"
    busy = f"import ctypes, os, time\nopen({str(report)!r}, 'w').write(str(os.getpid()))\n{request.param}"
    script = start_parent(f"""
        call = run_in_workers([(os.getpid, ()), (exec, ({busy!r},))], num_workers=2)
        print(next(call)[1], flush=True)
        next(call)
    """)
    resting = int(script.stdout.readline())
    assert wait_until(lambda: report.exists() and report.read_text())
    pids = [resting, int(report.read_text())]
    assert all(map(is_alive, pids))
    yield script, pids
    script.kill()
    script.communicate()


def test_no_worker_outlives_a_killed_parent(parent):
    script, pids = parent
    script.kill()
    assert wait_until(lambda: not any(map(is_alive, pids)))


def test_ctrl_c_ends_parent_and_workers_at_once_and_only_the_parent_speaks(parent):
    script, pids = parent
    began = time.monotonic()
    os.killpg(script.pid, signal.SIGINT)
    error = script.communicate(timeout=10)[1]
    assert time.monotonic() - began < 2
    assert error.count("Traceback") == error.count("KeyboardInterrupt") == 1
    assert "ResourceWarning" not in error
    assert wait_until(lambda: not any(map(is_alive, pids)))
