"""What people see of a run, seen by a real browser: the report on a phone, on a desk and on paper, and the tabs of TensorBoard."""

import html
import json
import re

import pytest

from tests.browser import colours, dom, inked, needs_browser, picture, printed
from tests.real_tensorboard import real_tensorboard

pytestmark = needs_browser

PHONE, DESK = (390, 844), (1280, 900)
# Milliseconds of the page's own time until a tab has loaded its data and drawn it.
WAITS = {"scalars": 12_000, "images": 8_000, "pr_curves": 8_000, "projector": 15_000, "hparams": 8_000}
EMPTY = 0.05  # share of pixels that are not the background: a tab without data has less, measured 0.00 to 0.03; with data 0.09 and more
# The page in a frame as wide as a phone's screen (no window of a desktop browser gets as narrow), measured once it is there. What scrolls by itself
# may be wider.
FRAME = """<!doctype html>
<body style="margin: 0">
<iframe style="border: 0; width: {0}px; height: {1}px" srcdoc="{2}"></iframe>
<script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument.documentElement;
  const beyond = [...page.querySelectorAll("body *")].filter(each => each.getBoundingClientRect().right > page.clientWidth + 1);
  const outside = beyond.filter(each => !each.closest(".scroll, nav")).map(each => each.outerHTML.slice(0, 80));
  document.documentElement.dataset.measured = JSON.stringify([page.clientWidth, page.scrollWidth, page.scrollHeight, outside]);
}};
</script>
"""


@pytest.fixture(scope="module")
def report(saved_models):
    return saved_models / "wide" / "report.html"


@pytest.fixture
def on_a_phone(report, tmp_path):
    """The address of the report in a phone's frame."""
    file = tmp_path / "phone.html"
    file.write_text(FRAME.format(*PHONE, html.escape(report.read_text(encoding="utf-8"))), encoding="utf-8")
    return file.as_uri()


def measured(address):
    """Width of the screen, width and height of the page in it, and what stands out of the page."""
    return json.loads(html.unescape(re.search('data-measured="(.*?)"', dom(address, *DESK))[1]))


def test_the_report_is_drawn_on_a_desk(report, tmp_path):
    image = picture(report.as_uri(), tmp_path / "report.png", *DESK)
    assert image.size == DESK
    assert colours(image) > 50
    assert inked(image) > 0.05


def test_the_report_is_drawn_on_a_phone(on_a_phone, tmp_path):
    image = picture(on_a_phone, tmp_path / "phone.png", *PHONE)
    assert image.size == PHONE
    assert colours(image) > 50
    assert inked(image) > 0.05


def test_nothing_of_the_report_is_wider_than_a_phone(on_a_phone):
    screen, width, height, outside = measured(on_a_phone)
    assert screen == width == PHONE[0]
    assert outside == []
    assert height > PHONE[1]


def test_a_page_that_is_too_wide_would_be_found(tmp_path):
    file = tmp_path / "wide.html"
    file.write_text(FRAME.format(*PHONE, html.escape("<body><p style='width: 500px'>too wide</p>")), encoding="utf-8")
    screen, width, _, outside = measured(file.as_uri())
    assert width > screen
    assert len(outside) == 1


def test_the_report_is_printed(report, tmp_path):
    content = printed(report.as_uri(), tmp_path / "report.pdf")
    assert content.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type\s*/Page\b", content))
    assert pages in range(2, 30)
    assert len(content) > 20_000


def tab_of(server, tab, folder):
    """A tab's own part of its picture: without the bar of all tabs and the list of runs."""
    return picture(f"{server.address}/#{tab}", folder / f"{tab}.png", *DESK, wait=WAITS[tab]).crop((320, 70, *DESK))


@pytest.mark.slow
@pytest.mark.parametrize("tab", WAITS)
def test_every_tab_of_tensorboard_is_drawn(board, tmp_path, tab):
    image = tab_of(board, tab, tmp_path)
    assert colours(image) > 200
    assert inked(image) > EMPTY


@pytest.mark.slow
def test_a_tab_that_shows_nothing_would_be_found(tmp_path):
    with real_tensorboard(tmp_path) as server:
        assert inked(tab_of(server, "hparams", tmp_path)) < EMPTY  # it says so in some lines of text
