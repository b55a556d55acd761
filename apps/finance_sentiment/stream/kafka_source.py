"""A Kafka topic as a source, with `pip install tfarch[kafka]`: offsets are kept by the engine, beside what they stand for."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs

from apps.finance_sentiment.stream.lines import MOST_LINE, shortened
from apps.finance_sentiment.stream.source import Reading, Record, source_kind
from tfarch.errors import InputError

_ADDRESS = re.compile(r"kafka://(?P<brokers>[^/?#@]+)/(?P<topic>[A-Za-z0-9._-]{1,249})(?:\?(?P<query>.*))?$")
_BROKER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):\d{1,5}$")
_LOOK = 0.4  # seconds that a call to the client may take; a round makes two
_PARTITIONS_EVERY = 60.0  # seconds between two looks for partitions that were added
GROUP = "tfarch"


class KafkaSource:
    """The messages of all partitions of a topic, from the offsets of the position on, else from the oldest that the brokers still have.

    The position is the offset to read next of each partition, by its number as text. Partitions are assigned by hand and nothing is committed: the group
    is a name for the brokers' access rules and for their administrators. Partitions that are added later are read too. Not followed, it ends where every
    partition ends for now.

    Args:
        brokers: "host:port,host:port".
        topic: its name.
        group: consumer group.

    Raises:
        InputError: the client is not installed.
    """

    def __init__(self, brokers: str, topic: str, group: str, reading: Reading):
        try:
            import confluent_kafka
        except ImportError as error:
            raise InputError("Kafka needs a client that is not installed", mend="pip install tfarch[kafka]") from error
        self._kafka = confluent_kafka
        self.name = f"kafka:{brokers}/{topic}"
        self.topic, self.reading = topic, reading
        self._settings = {
            "bootstrap.servers": brokers,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            # Of an offset that the brokers no longer have: what is left is read, nothing is skipped.
            "auto.offset.reset": "earliest",
            "log_level": 0,  # what matters comes by error_cb
            "error_cb": lambda error: self._tell(error.str()),
        }
        self._closed = threading.Event()
        self._told: set[str] = set()

    def read(self, position: Mapping[str, int] | None = None) -> Iterator[Record | None]:
        """See `Source.read`.

        Raises:
            InputError: not followed, and there is no such topic or no broker answers.
        """
        offsets = {int(partition): offset for partition, offset in (position or {}).items()}
        consumer = self._kafka.Consumer(self._settings)
        try:
            yield from self._messages(consumer, offsets)
        finally:
            consumer.close()

    def close(self) -> None:
        """Ends reading."""
        self._closed.set()

    def _messages(self, consumer, offsets: dict[int, int]) -> Iterator[Record | None]:
        assigned: set[int] = set()
        ended: set[int] = set()
        look_again = 0.0
        while not self._closed.is_set():
            if time.monotonic() >= look_again:
                partitions = self._partitions(consumer)
                if partitions - assigned:
                    self._assign(consumer, partitions | assigned, offsets, first=not assigned)
                    assigned |= partitions
                look_again = time.monotonic() + (_PARTITIONS_EVERY if assigned else _LOOK)
            message = consumer.poll(_LOOK)
            if message is None:
                yield None
            elif message.error() is None:
                self._told.clear()
                offsets[message.partition()] = message.offset() + 1
                if message.value() is not None:  # a tombstone: it deletes a key, and says nothing
                    yield self._record(message, offsets)
            elif message.error().code() == self._kafka.KafkaError._PARTITION_EOF:
                # Where it was assigned twice, the end that is told may be one that was passed already.
                if message.offset() >= offsets.get(message.partition(), 0):
                    ended.add(message.partition())
                if not self.reading.follow and ended >= assigned:
                    return
                yield None
            else:
                self._tell(message.error().str())
                yield None

    def _partitions(self, consumer) -> set[int]:
        """Those that the topic has; none where that is not known yet."""
        fault = "no broker answers"
        for _ in range(1 if self.reading.follow else 20):  # connecting takes longer than a look
            try:
                topic = consumer.list_topics(self.topic, timeout=_LOOK).topics[self.topic]
            except self._kafka.KafkaException as error:
                fault = error.args[0].str()
                continue
            if topic.error is None:
                return set(topic.partitions)
            fault = topic.error.str()
            break
        if not self.reading.follow:
            raise InputError(f"{self.name} cannot be read: {fault}")
        self._tell(fault)
        return set()

    def _assign(self, consumer, partitions: set[int], offsets: dict[int, int], *, first: bool) -> None:
        beginning = self._kafka.OFFSET_BEGINNING
        if first:
            for partition in sorted(partitions & offsets.keys()):
                self._check(consumer, partition, offsets)
        consumer.assign([self._kafka.TopicPartition(self.topic, each, offsets.get(each, beginning)) for each in sorted(partitions)])

    def _check(self, consumer, partition: int, offsets: dict[int, int]) -> None:
        """Says where what was to be read next is no longer there."""
        try:
            lowest, highest = consumer.get_watermark_offsets(self._kafka.TopicPartition(self.topic, partition), timeout=_LOOK)
        except self._kafka.KafkaException:
            return  # the client finds out by itself, only without a word
        if not lowest <= offsets[partition] <= highest:
            had = f"{lowest:,} to {highest:,}"
            self._tell(f"partition {partition} has offsets {had} and not {offsets[partition]:,}: it is read from the oldest that is left")
            del offsets[partition]

    def _record(self, message, offsets: dict[int, int]) -> Record:
        value = message.value()
        place = f"Kafka topic {self.topic}, partition {message.partition()}, offset {message.offset()}"
        position = {str(partition): offset for partition, offset in offsets.items()}
        return Record(value if len(value) <= MOST_LINE else shortened(value), position, place)

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self.reading.say(f"{self.name}: {message}")


def parse_address(place: str) -> tuple[str, str, str]:
    """Brokers "host:port,host:port", topic and consumer group of `kafka://host:port[,host:port...]/topic[?group=name]`.

    Raises:
        InputError: it is not of that form.
    """
    found = _ADDRESS.match(place)
    form = "kafka://host:port/topic, with ?group=name if need be"
    if not found or not all(_BROKER.match(broker) for broker in found["brokers"].split(",")):
        raise InputError(f"{place} is no Kafka topic", mend=form)
    query = parse_qs(found["query"] or "", keep_blank_values=True)
    group = query.pop("group", [GROUP])[-1]
    if query or not group:
        raise InputError(f"{place}: the only setting is group, and it needs a name", mend=form)
    return found["brokers"], found["topic"], group


@source_kind("kafka")
def open_topic(place: str, reading: Reading) -> KafkaSource:
    """A topic by its address.

    Raises:
        InputError: the address is none, or the client is not installed.
    """
    source = KafkaSource(*parse_address(place), reading)
    if not reading.follow:
        reading.say(f"{source.name} is read to where it ends now; with --follow, on from there")
    return source
