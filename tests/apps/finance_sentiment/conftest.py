"""Fixtures of tests of sources."""

import pytest

from apps.finance_sentiment.stream.source import Reading


@pytest.fixture
def said():
    return []


@pytest.fixture
def quick_looks(monkeypatch):
    for module in ("file_source", "folder_source", "standard_input"):
        monkeypatch.setattr(f"apps.finance_sentiment.stream.{module}._LOOK", 0.01)


@pytest.fixture
def follow(said):
    return Reading(follow=True, say=said.append)


@pytest.fixture
def once(said):
    return Reading(say=said.append)
