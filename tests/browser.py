"""A headless Chromium that takes pictures of pages, prints them and tells what it made of them."""

import shutil
import subprocess
import tempfile

import numpy as np
import pytest
from PIL import Image

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install -y --no-install-recommends chromium")
WAIT = 120  # seconds


def picture(address, file, width, height, *, wait=0):
    """Takes a picture of the page, `width` and `height` in pixels, into `file`; `wait` milliseconds of the page's own time go by first."""
    _chromium(address, f"--screenshot={file}", f"--window-size={width},{height}", *_waiting(wait))
    with Image.open(file) as image:
        return image.convert("RGB")


def printed(address, file):
    """Prints the page as PDF and gives the file's bytes."""
    _chromium(address, f"--print-to-pdf={file}", "--no-pdf-header-footer")
    return file.read_bytes()


def dom(address, width, height, *, wait=0):
    """The page's HTML after its scripts have run."""
    return _chromium(address, "--dump-dom", f"--window-size={width},{height}", *_waiting(wait))


def colours(image):
    """How many colours a picture has."""
    return len(np.unique(np.asarray(image).reshape(-1, 3), axis=0))


def inked(image):
    """The share of a picture's pixels that are not its most frequent colour."""
    _, counts = np.unique(np.asarray(image).reshape(-1, 3), axis=0, return_counts=True)
    return 1 - counts.max() / counts.sum()


def _waiting(milliseconds):
    return [f"--virtual-time-budget={milliseconds}"] if milliseconds else []


def _chromium(address, *options):
    with tempfile.TemporaryDirectory() as profile:
        always = ["--headless", "--no-sandbox", "--hide-scrollbars", "--enable-unsafe-swiftshader", f"--user-data-dir={profile}"]
        done = subprocess.run([BROWSER, *always, *options, address], capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 0, done.stderr
    return done.stdout
