"""The verbs that only this app has: answering, chatting, and changing what is known without training anew."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
from pathlib import Path

from tfarch.app import Verb
from tfarch.cli.texts import texts_of
from tfarch.config import Config
from tfarch.errors import InputError
from tfarch.quiet import quiet

DEFAULT_BUNDLE = Path("saved_models/customer_service/bundle")
MOST_LOST = 0.01  # share of the known questions that an added intent may take, before a new training is advised
SOURCES = {"intent": "intent", "faq": "FAQ", "ask": "asks back", "handover": "to a person"}


def _answer_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="messages; none: standard input, a line each")
    parser.add_argument("--input", metavar="FILE", help="a message a line, or CSV/TSV/JSONL with the text column; - for standard input")
    _bundle_option(parser)


def _bundle_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, metavar="DIR", help=f"the bundle (default {DEFAULT_BUNDLE})")


def _assistant(options: argparse.Namespace):
    from apps.customer_service.assistant import Assistant

    with quiet():
        return Assistant.load(options.bundle, threads=options.threads or min(4, len(os.sched_getaffinity(0))))


def _answer(options: argparse.Namespace, config: Config) -> int:
    if options.texts and options.input:
        raise InputError("messages are given both as arguments and by --input", mend="give one of them")
    assistant = _assistant(options)
    for text in texts_of(options, config):
        replies = assistant.reply(text)
        if options.json:
            print(json.dumps({"text": text, "replies": [reply.as_dict() for reply in replies]}, ensure_ascii=False), flush=True)
            continue
        for reply in replies:
            print(f"> {' '.join(reply.question.split())}\n  {reply.text}\n  ({_origin(reply)})\n", flush=True)
    return 0


def _origin(reply) -> str:
    """Where a reply comes from, for people."""
    name = f" {reply.name}" if reply.name else ""
    return f"{SOURCES[reply.source]}{name}, {reply.probability:.0%}"


def _chat(options: argparse.Namespace, config: Config) -> int:
    from apps.customer_service.assistant import Conversation

    assistant, conversation = _assistant(options), Conversation()
    company = assistant.knowledge.answers.constants.get("company", "the company")
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    faint, plain = ("\033[2m", "\033[0m") if terminal and "NO_COLOR" not in os.environ else ("", "")
    if terminal:
        with contextlib.suppress(ImportError):  # where Python has it: arrow keys, and the history of what was typed
            importlib.import_module("readline")
        print(f"You are writing to {company}. An empty line or Ctrl-D ends; /new forgets what was said.\n")
    while True:
        try:
            message = input("you: " if terminal else "")
        except EOFError:
            break
        if not message.strip() and terminal:
            break
        if message.strip() == "/new":
            conversation = Conversation()
            continue
        for reply in assistant.reply(message, conversation):
            if options.json:
                print(json.dumps(reply.as_dict(), ensure_ascii=False), flush=True)
            else:
                print(f"{company}: {reply.text}\n{faint}    {_origin(reply)}{plain}", flush=True)
        if terminal:
            print()
    return 0


def _add_intent_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("intent", help="name of the new intent; one that was added before is replaced")
    parser.add_argument("examples", nargs="*", metavar="TEXT", help="questions of that intent; 10 are good")
    parser.add_argument("--input", metavar="FILE", help="more of them: a text a line, or CSV/TSV/JSONL with the text column")
    parser.add_argument(
        "--check", metavar="PATH", help="rows whose intent is known, to see what moves (default: validation of the bundle's run)"
    )
    _bundle_option(parser)


def _add_intent(options: argparse.Namespace, config: Config) -> int:
    from tfarch.export.added import add_class, moved
    from tfarch.runtime import load_classifier

    texts = list(options.examples)
    if options.input:
        options.texts = []
        texts += texts_of(options, config)
    with quiet():
        before = load_classifier(options.bundle, threads=2)
        rows = [row for row in _known_rows(options, config) if row[1] in before.labels]
        add_class(options.bundle, options.intent, texts)
        after = load_classifier(options.bundle, threads=2)
    found = moved(before, after, *zip(*rows, strict=True)) if rows else None
    document: dict = {"added": options.intent, "examples": len(set(texts))}
    if found is not None:
        document |= {"checked": found.rows, "lost": [list(each) for each in found.lost], "won": [list(each) for each in found.won]}
    if options.json:
        print(json.dumps(document, ensure_ascii=False))
        return 0
    print(f"{options.intent} was added by {len(set(texts))} examples; edit-answer gives it an answer")
    if found is None:
        print("Nothing was checked: --check names rows whose intent is known.")
        return 0
    print(
        f"Of {found.rows:,} questions whose intent is known {len(found.lost)} were right and are not any more, {len(found.won)} the other way round."
    )
    for text, label, _, now in found.lost[:5]:
        print(f"    {label} is taken for {now} now: {' '.join(text.split())[:90]}")
    if len(found.lost) - len(found.won) > found.rows * MOST_LOST:
        print(
            f"That is more than {MOST_LOST:.0%}: train anew, with the examples in {options.bundle / 'added.csv'} among the training rows."
        )
    return 0


def _known_rows(options: argparse.Namespace, config: Config) -> list[tuple[str, str]]:
    """Texts with their intent: of `--check`, or the validation rows of the run that the bundle lies in, if its data are still there."""
    from tfarch.data import load_dataset
    from tfarch.data.sources import read_rows
    from tfarch.run_folder import RunFolder

    if options.check:
        return read_rows(options.check, config.data)
    file = RunFolder(options.bundle.parent).config
    if not file.is_file():
        return []
    config = Config().with_file(file)
    if config.data.path is None or not Path(config.data.path).exists():
        return []
    valid = load_dataset(config.data.path, config.data, config.seed).valid
    return list(zip(valid.texts, valid.labels, strict=True))


def _add_faq_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="id of the entry; an entry of that name is replaced")
    parser.add_argument("--question", required=True)
    parser.add_argument("--answer", required=True)
    _bundle_option(parser)


def _add_faq(options: argparse.Namespace, config: Config) -> int:
    from apps.customer_service.knowledge import add_faq

    add_faq(options.bundle, options.question, options.answer, options.name)
    return _told(options, f"the FAQ of {options.bundle} has the entry {options.name}", {"added": options.name})


def _edit_answer_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("intent", help="the intent whose answers are replaced")
    parser.add_argument("variants", nargs="+", metavar="ANSWER", help="the answers; the last one fills no slot")
    _bundle_option(parser)


def _edit_answer(options: argparse.Namespace, config: Config) -> int:
    from apps.customer_service.knowledge import edit_answer

    edit_answer(options.bundle, options.intent, options.variants)
    return _told(options, f"{options.intent} has {len(options.variants)} answers now", {"edited": options.intent})


def _remove_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="an intent that was added, the id of an FAQ entry, or an intent whose answers go")
    _bundle_option(parser)


def _remove(options: argparse.Namespace, config: Config) -> int:
    from apps.customer_service.knowledge import remove
    from tfarch.export.added import added_examples, remove_class

    if options.name in added_examples(options.bundle):
        remove_class(options.bundle, options.name)
        what = "an intent that was added"
    else:
        what = remove(options.bundle, options.name)
    return _told(options, f"removed {what}: {options.name}", {"removed": options.name, "was": what})


def _told(options: argparse.Namespace, sentence: str, document: dict[str, str]) -> int:
    print(json.dumps(document, ensure_ascii=False) if options.json else sentence)
    return 0


VERBS = (
    Verb("answer", "answer messages: by intent, FAQ, asking back, or handing over", _answer_options, _answer),
    Verb("chat", "talk with the assistant in the terminal", _bundle_option, _chat),
    Verb("add-intent", "add an intent by a few examples, without training", _add_intent_options, _add_intent),
    Verb("add-faq", "add an entry to the bundle's FAQ, without training", _add_faq_options, _add_faq),
    Verb("edit-answer", "replace the answers of an intent in the bundle", _edit_answer_options, _edit_answer),
    Verb("remove", "remove an added intent, an FAQ entry or the answers of an intent from the bundle", _remove_options, _remove),
)
