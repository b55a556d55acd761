"""TensorBoard itself, started on the loopback for as long as a test asks it something."""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

START, LOAD = 90, 60  # seconds that it may take at most


class TensorBoardServer:
    """The address of a running TensorBoard, and what its routes answer."""

    def __init__(self, address):
        self.address = address

    def ask(self, plugin, route, body=None, **query):
        """The JSON that a plugin's route answers, with `body` as JSON where the route wants one."""
        request = Request(f"{self.address}/data/plugin/{plugin}/{route}?{urlencode(query)}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urlopen(request) as answer:
            return json.load(answer)

    def raw(self, path, **query):
        """The bytes of any other path below /data/."""
        with urlopen(f"{self.address}/data/{path}?{urlencode(query)}") as answer:
            return answer.read()

    def on(self, tabs):
        """Those of `tabs` that are on; TensorBoard looks for the projector's files only when it is first asked."""
        listing = json.loads(self.raw("plugins_listing"))
        return {tab for tab in tabs if listing[tab]["enabled"]}

    def loaded(self, tags):
        """Whether every plugin of `tags`, `{plugin: number of runs}`, knows at least so many runs that have something for it."""
        try:
            return all(sum(1 for found in self.ask(plugin, "tags").values() if found) >= runs for plugin, runs in tags.items())
        except HTTPError:
            return False


@contextlib.contextmanager
def real_tensorboard(logdir, **tags):
    """A TensorBoard that shows `logdir`, once it has loaded `tags` (see `TensorBoardServer.loaded`); it is stopped at the end."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--host", "127.0.0.1", "--port", "0"]
    with tempfile.TemporaryFile("w+") as told, subprocess.Popen(command, stdout=told, stderr=told) as process:
        try:
            server = TensorBoardServer(wait(lambda: _address(told, process), START, told))
            wait(lambda: server.loaded(tags), LOAD, told)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def _address(told, process):
    told.seek(0)
    text = told.read()
    assert process.poll() is None, text
    found = re.search(r"TensorBoard \S+ at (http://\S+?)/? ", text)
    return found and found[1]


def wait(ask, seconds, told=None):
    """What `ask()` gives once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.2)
    if told is not None:
        told.seek(0)
    raise TimeoutError(f"TensorBoard was not ready after {seconds} s: {told.read() if told else ''}")
