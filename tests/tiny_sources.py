"""Lines of items, and what a source gives of them. For tests of sources."""

import json

from apps.finance_sentiment.stream.item import parse_item


def line(text):
    return json.dumps({"time": 1, "text": text}) + "\n"


def lines(*texts):
    return "".join(map(line, texts)).encode()


def texts(records):
    return [parse_item(record.content).text for record in records]


def everything(source, position=None):
    """All records of a source that ends."""
    return [record for record in source.read(position) if record is not None]


class Followed:
    """A source that is followed, asked for what is there until it has nothing new twice in a row: once may be the look before."""

    def __init__(self, source, position=None):
        self.source = source
        self.records = source.read(position)

    def new(self):
        found, quiet = [], 0
        while quiet < 2:
            record = next(self.records)
            quiet = quiet + 1 if record is None else 0
            found += [record] if record else []
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.source.close()
        assert [record for record in self.records if record is not None] == []
