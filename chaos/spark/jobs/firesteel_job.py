"""What the jobs share on the driver. Executors must not need this module: they would have to be sent it."""
import os
import queue
import socket
import sys
import threading


def say(*words):
    print(*words, flush=True)


def result(ok, *words):
    """The last word of a job. A wrong result ends it with an exit code, too."""
    say("RESULT", "ok" if ok else "wrong", *words)
    if not ok:
        sys.exit(3)


class Control:
    """Lines that the experiment tells the job. Python's standard input is not the experiment's under spark-submit."""

    def __init__(self):
        host, port = os.environ["FIRESTEEL_JOB_CONTROL"].rsplit(":", 1)
        self._conn = socket.create_connection((host, int(port)))
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self._conn.makefile() as lines:
            for line in lines:
                self._lines.put(line.strip())
        self._lines.put("gone")

    def wait(self, want):
        while self.next() != want:
            pass

    def next(self):
        """The next line; waits for it."""
        line = self._lines.get()
        if line == "gone":
            sys.exit("the experiment has gone away")
        return line

    def told(self, want):
        """Whether the line has come; does not wait."""
        try:
            line = self._lines.get_nowait()
        except queue.Empty:
            return False
        if line == "gone":
            sys.exit("the experiment has gone away")
        return line == want
