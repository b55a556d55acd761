"""A Kafka topic is read from the offsets that the engine kept: against the broker that the client itself can play, and a real one where there is one."""

import json
import os
import sys
import time
import uuid

import pytest

from apps.finance_sentiment.stream.item import MalformedItem, parse_item
from apps.finance_sentiment.stream.kafka_source import KafkaSource, open_topic, parse_address
from apps.finance_sentiment.stream.lines import MOST_LINE
from apps.finance_sentiment.stream.source import Reading
from tfarch.errors import InputError


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("kafka://localhost:9092/news", ("localhost:9092", "news", "tfarch")),
        ("kafka://a.example:9092,b.example:9093/news.raw-1?group=desk", ("a.example:9092,b.example:9093", "news.raw-1", "desk")),
        ("kafka://[::1]:9092/news", ("[::1]:9092", "news", "tfarch")),
    ],
)
def test_an_address_names_brokers_topic_and_group(place, expected):
    assert parse_address(place) == expected


@pytest.mark.parametrize(
    "place",
    [
        "kafka://localhost/news",
        "kafka://localhost:9092",
        "kafka://localhost:9092/",
        "kafka://localhost:9092/a/b",
        "kafka://localhost:9092/a b",
        "kafka://localhost:9092,/news",
        "kafka://user:word@localhost:9092/news",
        "kafka://localhost:9092/news?grp=desk",
        "kafka://localhost:9092/news?group=",
        "kafka:localhost",
    ],
)
def test_an_address_that_is_none_is_the_users_error(place):
    with pytest.raises(InputError, match="kafka://host:port/topic"):
        parse_address(place)


def test_without_the_client_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(InputError, match=r"pip install tfarch\[kafka\]"):
        open_topic("kafka://localhost:9092/news", Reading())


def message(number):
    return json.dumps({"time": 1, "text": f"news {number}"}).encode()


class Broker:
    """Where messages are sent to."""

    def __init__(self, kafka, settings, topic):
        self.producer = kafka.Producer({"log_level": 0, **settings})
        broker = next(iter(self.producer.list_topics(timeout=10).brokers.values()))
        self.address, self.topic = settings.get("bootstrap.servers") or f"{broker.host}:{broker.port}", topic

    def send(self, *contents, partition=0):
        for content in contents:
            self.producer.produce(self.topic, content, partition=partition)
        assert self.producer.flush(10) == 0


@pytest.fixture
def broker():
    """One that runs within the client (librdkafka's mock cluster): the real protocol over the loopback, topics of four partitions."""
    kafka = pytest.importorskip("confluent_kafka")
    return Broker(kafka, {"test.mock.num.brokers": 1, "bootstrap.servers": ""}, "news")


@pytest.fixture
def said():
    return []


def source(broker, said, *, follow=False):
    return KafkaSource(broker.address, broker.topic, "tfarch", Reading(follow=follow, say=said.append))


def everything(broker, said, position=None):
    return [record for record in source(broker, said).read(position) if record is not None]


def texts(records):
    return sorted(parse_item(record.content).text for record in records)


def test_all_partitions_are_read_to_their_ends(broker, said):
    broker.send(message(0), message(1))
    broker.send(message(2), partition=3)
    records = everything(broker, said)
    assert texts(records) == ["news 0", "news 1", "news 2"]
    assert records[-1].position == {"0": 2, "3": 1}
    assert {record.place for record in records} == {
        "Kafka topic news, partition 0, offset 0",
        "Kafka topic news, partition 0, offset 1",
        "Kafka topic news, partition 3, offset 0",
    }
    assert said == []


def test_after_a_restart_it_goes_on_behind_any_record(broker, said):
    broker.send(*map(message, range(5)))
    broker.send(*map(message, range(5, 8)), partition=1)
    records = everything(broker, said)
    for done in (0, 3, 7):
        position = json.loads(json.dumps(records[done].position))
        assert texts(everything(broker, said, position)) == texts(records[done + 1 :])
    assert said == []


def test_nothing_is_committed(broker, said):
    kafka = pytest.importorskip("confluent_kafka")
    broker.send(message(0))
    everything(broker, said)
    consumer = kafka.Consumer({"bootstrap.servers": broker.address, "group.id": "tfarch", "log_level": 0})
    (committed,) = consumer.committed([kafka.TopicPartition("news", 0)], timeout=10)
    consumer.close()
    assert committed.offset == kafka.OFFSET_INVALID


def test_followed_it_gives_what_comes_and_gives_the_engine_time_meanwhile(broker, said):
    broker.send(message(0))
    followed = source(broker, said, follow=True)
    records = followed.read()
    started = time.monotonic()
    assert texts([next(filter(None, records))]) == ["news 0"]
    for _ in range(8):  # the ends of four partitions are told, and then nothing comes
        before = time.monotonic()
        assert next(records) is None
        assert time.monotonic() < before + 1
    broker.send(message(1), partition=2)
    assert texts([next(filter(None, records))]) == ["news 1"]
    followed.close()
    assert [record for record in records if record is not None] == []
    assert time.monotonic() < started + 15


def test_offsets_that_the_broker_does_not_have_are_told_of_and_nothing_that_is_there_is_skipped(broker, said):
    broker.send(message(0), message(1))
    assert texts(everything(broker, said, {"0": 1000})) == ["news 0", "news 1"]
    assert len(said) == 1
    assert "partition 0 has offsets 0 to 2 and not 1,000" in said[0]


def test_a_tombstone_is_passed_over_and_a_message_that_is_too_long_is_malformed(broker, said):
    broker.producer.produce(broker.topic, None, key=b"a", partition=0)
    broker.send(b"x" * 100, b'{"text": "' + b"x" * (MOST_LINE - 100) + b'"}')
    records = everything(broker, said)
    assert [record.position for record in records] == [{"0": 2}, {"0": 3}]
    for record in records:
        with pytest.raises(MalformedItem):
            parse_item(record.content)


def test_a_topic_that_is_not_there_is_the_users_error_unless_it_is_waited_for(broker, said):
    with pytest.raises(InputError, match="Unknown topic"):
        everything(broker, said)
    followed = source(broker, said, follow=True)
    records = followed.read()
    assert [next(records) for _ in range(2)] == [None, None]
    broker.send(message(0))
    assert texts([next(filter(None, records))]) == ["news 0"]
    followed.close()
    assert [record for record in records if record is not None] == []
    assert len(said) == 1
    assert "Unknown topic" in said[0]


def test_a_broker_that_is_not_there_is_told_of_and_waited_for():
    kafka = pytest.importorskip("confluent_kafka")
    assert kafka
    said = []
    followed = KafkaSource("127.0.0.1:9", "news", "tfarch", Reading(follow=True, say=said.append))
    records = followed.read()
    assert [next(records) for _ in range(3)] == [None] * 3
    followed.close()
    assert list(records) == []
    assert said
    assert len(said) == len(set(said))


def test_a_real_broker_is_read_on_from_any_record(said):
    address = os.environ.get("TFARCH_TEST_KAFKA")
    if not address:
        pytest.skip("TFARCH_TEST_KAFKA names no broker (host:port)")
    kafka = pytest.importorskip("confluent_kafka")
    broker = Broker(kafka, {"bootstrap.servers": address}, f"tfarch-test-{uuid.uuid4().hex[:8]}")
    broker.send(*map(message, range(5)))  # the broker makes the topic
    records = everything(broker, said)
    assert texts(records) == [f"news {number}" for number in range(5)]
    assert texts(everything(broker, said, records[2].position)) == ["news 3", "news 4"]
