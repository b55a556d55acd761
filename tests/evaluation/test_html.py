"""report.html: well formed, self-contained, and safe whatever the data holds."""

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tfarch.evaluation.html import render_html
from tfarch.evaluation.markup import MOST, Markup, join, marked, named, quoted, tag
from tfarch.evaluation.sections import SECTIONS
from tfarch.evaluation.svg import Point, scatter

REPORT = json.loads(Path(__file__).with_name("report_example.json").read_text())
VOID = {"meta", "wbr"}


class Page(HTMLParser):
    """Checks that every element is closed in order; gathers the elements, the text and the attributes."""

    def __init__(self, html: str):
        super().__init__()
        self.open, self.elements, self.texts, self.attributes = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append(name)
        self.attributes += attributes
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def test_the_headline_is_made_of_the_facts():
    assert (
        "dynamic_int8 labels 94.00 % of 100 test rows correctly, takes 22.50 MB and answers a text in 2.00 ms on one thread. "
        "Against float32 it is 4.0 times smaller, 4.0 times faster and 1.00 points less accurate "
        "(within chance, paired test p = 1)."
    ) in Page(render_html(REPORT)).text


def test_what_is_said_above_the_title_is_said_once():
    page = Page(render_html({**REPORT, "app": REPORT["task"], "created": "2026-01-02T03:04:05Z"})).text
    assert f"{REPORT['task'].replace('_', ' ')} · 2026-01-02" in page
    assert page.count(f"{REPORT['task'].replace('_', ' ')} ·") == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bytes": 180_000_000}, "2.0 times larger"),
        ({"bytes": 90_000_000}, "as large"),
        ({"latency_ms": {"threads_1": {"p50": 16.0, "p95": 20.0}}}, "2.0 times slower"),
        ({"metrics": {"accuracy": 0.95}}, "equally accurate"),
        ({"metrics": {"accuracy": 0.9712}}, "2.12 points more accurate"),
        (
            {"paired": {"against": "float32", "won": 1, "lost": 9, "p_value": 0.022}},
            "less accurate (beyond chance, paired test p = 0.022).",
        ),
        ({"paired": {"against": "pruned_float32", "won": 1, "lost": 9, "p_value": 0.022}}, "1.00 points less accurate."),
    ],
)
def test_the_comparison_says_also_what_became_worse(changes, words):
    report = copy.deepcopy(REPORT)
    report["variants"][1] |= changes
    assert words in Page(render_html(report)).text


def test_every_section_stands_with_its_figures():
    page = Page(render_html(REPORT))
    assert [value for key, value in page.attributes if key == "id"] == [section.name for section in SECTIONS]
    for expected in (
        "TF-IDF + logistic regression",
        "8,000 pieces; 2 layers; heads 9, 12; neurons 768, 640",
        "41 of 1,311",
        "78.0 %, without 83.0 (300 rows)",
        "parcel came back to you, now what",
        "up to 41 characters",
        "Classes that lose most",
        "0.0145",
        "100 rows",
        "test.csv:8",
        "and 1 more",
        "where is it, i want my money",
        "17 training rows and 1 test row look mislabelled, of 1,398 that were looked at",
        "puts the share of wrong labels at 1.3 % (0.8 to 2.1 %)",
        "it would be 0.4 %",
        "52 of 70 wrong labels that were planted",
        "2 rows of classes with too few rows were not judged",
        "train.csv:77",
        "80.30 % (95 %: 71.7 to 87.1)",
        "4 of 20 parcel taken for refund",
        "Mostly one way: add examples of parcel.",
        "98.7 %",
        "6 min 42 s",
        "train.epochs",
        "0123abcd",
        "python -m apps.customer_service run --seed 7",
        "The gate holds.",
        "energy of the logits",
        "71.2 %",
        "94.1 %",
        "wrong among them",
    ):
        assert expected in page.text, expected
    assert page.elements.count("svg") == 7


def test_draws_of_few_rows_are_told_by_mean_and_deviation():
    draws = [{"rows": 20, "draw": draw, "accuracy": share, "accuracy_interval": [0.5, 0.9]} for draw, share in enumerate((0.7, 0.75))]
    shots = {"of_each_class": 10, "draws": draws, "accuracy": {"mean": 0.725, "deviation": 0.0354}}
    html = render_html({**{key: value for key, value in REPORT.items() if key != "learning_curve"}, "shots": shots})
    for expected in ("training rows of each class", "72.50 %", "3.54 points", "75.00 % (95 %: 50.0 to 90.0)"):
        assert expected in html


def test_nothing_is_loaded_from_anywhere():
    html = render_html(REPORT)
    page = Page(html)
    assert all(value.startswith("#") for key, value in page.attributes if key in ("href", "src", "srcset", "data", "action"))
    assert not {"link", "img", "iframe", "object", "embed", "audio", "video", "use", "image", "base"} & set(page.elements)
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest", html)


def test_markup_in_labels_and_texts_is_shown_and_never_run():
    evil = '<script>alert("1")</script>&amp;\'"><img src=x onerror=alert(1)>$title'

    def poisoned(value):
        if isinstance(value, dict):
            return {evil if key in ("refund", "parcel", "train.csv") else key: poisoned(each) for key, each in value.items()}
        if isinstance(value, list):
            return [poisoned(each) for each in value]
        return value + evil if isinstance(value, str) else value

    clean, page = Page(render_html(REPORT)), Page(render_html(poisoned(REPORT)))
    assert page.elements.count("script") == clean.elements.count("script")
    assert "img" not in page.elements
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    assert '<script>alert("1")</script>&amp;' in page.text


def test_control_characters_and_broken_unicode_can_be_written():
    report = copy.deepcopy(REPORT)
    report["worst"][0]["text"] = "a\x00b\ud800c\x1b[31m"
    assert "a\ufffdb\ufffdc\ufffd[31m" in render_html(report).encode("utf-8").decode("utf-8")


def test_a_text_of_a_million_characters_is_cut():
    report = copy.deepcopy(REPORT)
    report["worst"][0]["text"] = "x" * 1_000_000
    html = render_html(report)
    assert len(html) < 200_000
    assert "(1,000,000 characters)" in html


@pytest.mark.parametrize("missing", sorted(set(REPORT) - {"variants"}))
def test_any_part_may_be_missing(missing):
    Page(render_html({key: value for key, value in REPORT.items() if key != missing}))


@pytest.mark.parametrize("missing", ["metrics", "latency_ms", "parity", "bytes", "gzip_bytes", "sparsity", "file"])
def test_a_variant_may_lack_any_figure(missing):
    report = copy.deepcopy(REPORT)
    for row in report["variants"]:
        row.pop(missing, None)
    Page(render_html(report))


def test_a_report_of_variants_alone_has_no_empty_sections():
    page = Page(render_html({"variants": [{"name": "float32", "bytes": 1000}]}))
    assert [value for key, value in page.attributes if key == "id"] == ["variants"]
    assert "None" not in page.text


def test_an_empty_report_is_still_a_page():
    assert "section" not in Page(render_html({"variants": []})).elements


def test_pairs_among_all_rows_are_shown_where_the_test_has_few_rows_of_a_class():
    assert "it never came" not in Page(render_html(REPORT)).text
    few = {**REPORT, "data": {**REPORT["data"], "test": 30}}
    page = Page(render_html(few)).text
    assert "The same among all rows" in page
    assert "20 of 900 refund taken for parcel" in page
    assert "it never came" in page


def test_a_report_that_suspects_no_row_says_so():
    clean = {**REPORT["label_errors"], "suspects": {"train": 0, "valid": 0, "test": 0}, "top": []}
    assert "No row looks mislabelled, of 1,398" in Page(render_html({**REPORT, "label_errors": clean})).text


def test_one_epoch_and_a_flat_curve_can_be_drawn():
    report = copy.deepcopy(REPORT)
    report["train"]["history"] = [{"epoch": 1, "loss": 0.0, "valid_loss": None, "valid_accuracy": 1.0, "seconds": 1.0}]
    Page(render_html(report))


def test_a_broken_gate_is_said():
    report = copy.deepcopy(REPORT)
    report["parity"] |= {"keras_tflite": 0.5, "holds": False}
    page = Page(render_html(report))
    assert "The gate does not hold." in page.text
    assert "broken" in page.text


def test_error_findings_come_before_notes():
    text = Page(render_html(REPORT)).text
    assert text.index("2 test rows are also in train") < text.index("refund has 4 times")


def test_labels_of_crowded_points_do_not_cover_each_other():
    names = [f"variant_{i}" for i in range(8)]
    drawn = scatter([Point(10.0 + i / 100, 90.0 + i / 10, name) for i, name in enumerate(names)], title="t", x="x", y="y")
    places = [(float(x), float(y)) for x, y in re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="label ', drawn)]
    assert len(places) == len(names)
    width = 6.5 * len(names[0])
    for i, (x, y) in enumerate(places):
        assert all(abs(y - b) >= 12.9 or abs(x - a) >= width - 0.2 for a, b in places[:i])


def test_points_of_equal_accuracy_and_a_wide_range_of_sizes_can_be_drawn():
    drawn = scatter([Point(0.9, 90.0, "a"), Point(90.0, 90.0, "b")], title="t", x="MB", y="%")
    assert "MB, logarithmic" in drawn
    assert "nan" not in drawn


def test_text_is_escaped_and_markup_is_kept():
    assert tag("p", "1 < 2", tag("b", "&"), None, class_="a b", data_value='"', hidden=True, id=None) == (
        '<p class="a b" data-value="&quot;" hidden>1 &lt; 2<b>&amp;</b></p>'
    )
    assert join(["a<", [Markup("<i></i>")]]) == "a&lt;<i></i>"
    assert named("card_<b>") == '<bdi class="name">card_<wbr>&lt;b&gt;</bdi>'
    assert quoted("short") == '<bdi class="text">short</bdi>'


def test_marked_words_stand_in_their_text_with_their_sign():
    words = [{"start": 2, "end": 3, "weight": -0.26}, {"start": 0, "end": 1, "weight": 3.14}]
    assert marked("a<b", words) == (
        '<bdi class="text"><mark class="for">a<small>+3.1</small></mark>&lt;<mark class="against">b<small>\N{MINUS SIGN}0.3</small></mark></bdi>'
    )
    assert marked("a<b", []) == quoted("a<b")


def test_words_beyond_what_is_shown_or_over_each_other_are_not_marked():
    long = "x" * (MOST + 10)
    assert marked(long, [{"start": MOST - 1, "end": MOST + 2, "weight": 1.0}]) == quoted(long)
    assert marked("abc", [{"start": 0, "end": 2, "weight": 1.0}, {"start": 1, "end": 3, "weight": 1.0}]).count("<mark ") == 1
