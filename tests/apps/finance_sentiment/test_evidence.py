"""Which headlines an alert shows, and in which order."""

from apps.finance_sentiment.stream.publishers import Families
from apps.finance_sentiment.watch.evidence import Evidence, Headline


def told(evidence, most=10):
    return [each.publisher for each in evidence.since(0, 0.0, most)]


def filled(evidence):
    for number, (publisher, score) in enumerate([("Bloomberg", -0.5), ("Reuters", -0.9), ("reuters.com", -0.8), ("Handelsblatt", -0.2)]):
        evidence.add(0, Headline(str(number), float(number), "Profit warning", publisher, score))
    return evidence


def test_of_every_house_the_worst_comes_before_a_second_one_of_any():
    evidence = filled(Evidence(1, Families().of))
    assert told(evidence) == ["Reuters", "Bloomberg", "Handelsblatt", "reuters.com"]
    assert told(evidence, most=2) == ["Reuters", "Bloomberg"]
    assert told(Evidence.from_rows(evidence.as_rows(), Families().of)) == told(evidence)


def test_without_families_each_publisher_is_a_house():
    assert told(filled(Evidence(1))) == ["Reuters", "reuters.com", "Bloomberg", "Handelsblatt"]
