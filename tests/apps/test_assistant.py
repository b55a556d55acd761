"""The assistant on a real, tiny bundle: answers, FAQ, asking back, handing over, and changing what it knows without training."""

import dataclasses
import json
import shutil

import pytest

import tfarch
from apps.customer_service.assistant import HAND_OVER, Assistant, Conversation, Reply, _readable
from apps.customer_service.faq import FIELDS
from apps.customer_service.knowledge import add_faq, edit_answer, equip, load_knowledge, read_folder, remove
from tests.tiny_questions import WORDS, call, questions, write_csv, write_settings
from tfarch.errors import BundleError, InputError
from tfarch.export.added import add_class, added_examples, remove_class
from tfarch.export.bundle import update_bundle, verify_bundle

ANSWERS = r"""
constants: {company: Tiny, hours: 9 to 5}
slots: {number: {means: your number, pattern: '\b(\d{4})\b'}}
answers:
  card: ["Card {number} is on its way.", "Cards come by post.", "Ask us from {hours}."]
  refund: ["Refunds take a week."]
"""
FAQ = """
- {id: joke, question: "Can you tell me a joke?", answer: We are too serious to sing a song or joke.}
- {id: weather, question: "Is it going to rain?", answer: Ask the forecast.}
"""
UNANSWERED = ("who won the match", "do you like cats", "what is love", "where did they go")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The bundle of a run on a folder with answers and an FAQ, and what the run said."""
    folder = tmp_path_factory.mktemp("desk")
    rows = [row for row in questions() if row[1] != "oos"]
    later = [(f"{text} {more}", label) for text, label in rows for more in ("now", "today")]
    write_csv(folder / "train.csv", later)
    write_csv(folder / "valid.csv", [*rows[::3], *((text, "oos") for text in UNANSWERED)])
    write_csv(folder / "test.csv", rows[1::3])
    (folder / "answers.yaml").write_text(ANSWERS, encoding="utf-8")
    (folder / "faq.yaml").write_text(FAQ, encoding="utf-8")
    (folder / "faq_queries.csv").write_text("text,id\nknow a joke,joke\nsing a song,joke\nrain today?,weather\n", encoding="utf-8")
    out = folder / "out"
    settings = write_settings(folder / "settings.yaml")
    answer = call(
        "run",
        "--data",
        str(folder),
        "--out",
        str(out),
        "--config",
        str(settings),
        "--set",
        "train.epochs=12",
        "--set",
        "train.monitor=last",
    )
    assert answer.code == 0, answer.err
    return out / "bundle", answer


@pytest.mark.parametrize("name", ["answers.yaml", "faq.yaml", "faq_queries.csv"])
def test_a_wrong_file_beside_the_data_is_told_before_the_training(tmp_path, name):
    write_csv(tmp_path / "train.csv")
    (tmp_path / "faq.yaml").write_text(FAQ, encoding="utf-8")
    (tmp_path / name).write_text("wrong", encoding="utf-8")
    answer = call("run", "--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert f"{name}" in answer.err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def bundle(made, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(made[0], tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture(scope="module")
def assistant(made):
    return Assistant.load(made[0])


def test_the_run_puts_the_folder_s_answers_and_faq_into_the_bundle(made):
    bundle, said = made
    assert "answers of 2 intents and an FAQ of 2 entries went into the bundle" in said.err
    found = verify_bundle(bundle)
    assert {"answers.yaml", "faq.yaml", "knowledge.npz"} <= set(found.description["files"])
    assert len(found.description["knowledge"]["search"]["features"]) == FIELDS + 1  # the fields' cosines, and the words


def test_a_question_gets_the_answer_of_its_intent_with_its_slots(assistant):
    (reply,) = assistant.reply("where is my card 1234 pin")
    assert (reply.source, reply.name, reply.text) == ("intent", "card", "Card 1234 is on its way.")
    assert reply.slots == {"number": "1234"}
    assert reply.probability > 0.5


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("where is order LK-482913?", "where is order ?"),
        ("has LK 482913 been sent", "has been sent"),
        ("card 4929-1234-5678 and lk482913", "card and"),
        ("it is from 2014, 100GB, £24.50", "it is from 2014, 100GB, £24.50"),
        ("482913", "482913"),
    ],
)
def test_numbers_of_orders_and_cards_are_not_read_by_the_model(text, read):
    assert _readable(text) == read


def test_what_was_said_before_fills_slots_and_equal_answers_take_turns(assistant):
    conversation = Conversation()
    texts = [
        assistant.reply(message, conversation)[0].text
        for message in ("my card pin", "the card pin", "problem: card 1234 pin", "my pin card")
    ]
    assert texts == ["Cards come by post.", "Ask us from 9 to 5.", "Card 1234 is on its way.", "Card 1234 is on its way."]


def test_each_question_of_a_message_is_answered(assistant):
    replies = assistant.reply("my card pin. the refund money back?")
    assert [reply.name for reply in replies] == ["card", "refund"]
    assert [reply.question for reply in replies] == ["my card pin.", "the refund money back?"]


def test_an_intent_that_nobody_wrote_an_answer_for_goes_to_a_person(assistant):
    (reply,) = assistant.reply("my login password sign")
    assert (reply.source, reply.name, reply.text) == ("handover", "login", HAND_OVER)


def test_a_question_of_the_faq_is_answered_from_it(assistant):
    (reply,) = assistant.reply("sing a song")
    assert (reply.source, reply.name) == ("faq", "joke")
    assert reply.text.startswith("We are too serious")


@pytest.mark.parametrize("message", ["", "   ", "\n"])
def test_a_message_without_words_gets_one_reply(assistant, message):
    assert len(assistant.reply(message)) == 1


def asked(assistant):
    """A conversation in which two intents were asked about."""
    return Conversation(asked=Reply("?", "?", "ask", None, 0.4, ("card", "refund")))


@pytest.mark.parametrize(
    ("message", "name"), [("1", "card"), ("2.", "refund"), ("the second", "refund"), ("the card one", "card"), ("Refund!", "refund")]
)
def test_a_choice_is_taken_for_what_it_chooses(assistant, message, name):
    conversation = asked(assistant)
    (reply,) = assistant.reply(message, conversation)
    assert (reply.source, reply.name, reply.probability) == ("intent", name, 1.0)
    assert conversation.asked is None


def test_another_question_instead_of_a_choice_is_answered(assistant):
    conversation = asked(assistant)
    (reply,) = assistant.reply("sing a song", conversation)
    assert reply.name == "joke"
    assert conversation.asked is None


# Changing


def test_an_added_entry_is_found_and_a_removed_one_is_not(bundle):
    assert call("add-faq", "--bundle", str(bundle), "--name", "dance", "--question", "Can you dance?", "--answer", "Only waltz.").code == 0
    verify_bundle(bundle)
    assert [entry.id for entry in load_knowledge(bundle, Assistant.load(bundle).classifier).faq.entries] == ["joke", "weather", "dance"]
    assert Assistant.load(bundle).reply("can you dance")[0].text == "Only waltz."
    answer = call("remove", "dance", "--bundle", str(bundle))
    assert answer.out == "removed an entry of the FAQ: dance\n"
    assert Assistant.load(bundle).reply("can you dance")[0].name != "dance"


def test_without_queries_scope_scores_are_measured_in_their_own_spread(bundle):
    """They are probabilities or squared distances of hundreds: an untaught router must know which."""
    found = read_folder(bundle.parent / "nothing")
    rows = [text for text, label in questions() if label != "oos"]
    assert equip(bundle, dataclasses.replace(found, answers={"answers": {"card": ["Yes."], "cook": ["No."]}}), in_scope=rows) == ["cook"]
    classifier = tfarch.load(bundle)
    knowledge = load_knowledge(bundle, classifier)
    scores = classifier.out_of_scope.score(*classifier.answers(rows))
    assert knowledge.router.spread == pytest.approx(scores.std(), rel=1e-3)
    assert not knowledge.faq.entries
    assert Assistant.load(bundle).reply("my card pin")[0].text == "Yes."


def test_an_entry_of_the_same_name_is_replaced(bundle):
    add_faq(bundle, "Will it rain?", "Yes.", "weather")
    entries = load_knowledge(bundle, Assistant.load(bundle).classifier).faq.entries
    assert [(entry.id, entry.answer) for entry in entries if entry.id == "weather"] == [("weather", "Yes.")]


DANCES = ("can you dance", "dance with me", "dance dance", "the waltz please", "is it a waltz", "dance the waltz", "who can dance")


def test_an_added_intent_is_known_at_once_and_a_removed_one_is_not(bundle):
    files = {file: file.read_bytes() for file in (bundle / "head.npz", bundle / "model.tflite")}
    before = verify_bundle(bundle).description
    answer = call("add-intent", "dancing", *DANCES, "--bundle", str(bundle), "--check", str(bundle.parent / "known.csv"))
    assert (answer.code, answer.out) == (2, "")  # the file is not there
    assert verify_bundle(bundle).description == before
    write_csv(bundle.parent / "known.csv", [row for row in questions() if row[1] != "oos"])
    answer = call("add-intent", "dancing", *DANCES, "--bundle", str(bundle), "--check", str(bundle.parent / "known.csv"))
    assert answer.code == 0, answer.err
    assert "dancing was added by 7 examples" in answer.out
    assert "Of 72 questions whose intent is known " in answer.out
    classifier = tfarch.load(bundle)
    assert classifier.labels == ("card", "login", "refund", "dancing")
    said = classifier.predict(["dance the waltz", "my card pin", "the refund money back"])
    assert [each.label for each in said] == ["dancing", "card", "refund"]
    assert said[0].out_of_scope is False
    assert sum(probability for _, probability in classifier.predict(["dance"], top=9)[0].top) == pytest.approx(1.0, abs=1e-5)
    assert (bundle / "added.csv").read_text().splitlines()[:2] == ["text,label", "can you dance,dancing"]

    assert call("edit-answer", "dancing", "Only waltz.", "--bundle", str(bundle)).code == 0
    assert Assistant.load(bundle).reply("dance the waltz")[0].text == "Only waltz."

    assert call("remove", "dancing", "--bundle", str(bundle)).out == "removed an intent that was added: dancing\n"
    assert verify_bundle(bundle).description["head"] == before["head"]
    assert tfarch.load(bundle).labels == ("card", "login", "refund")
    for file, content in files.items():
        assert file.read_bytes() == content
    assert not (bundle / "added.csv").exists()


def test_intents_are_added_one_after_the_other_and_replaced_by_name(bundle):
    add_class(bundle, "dancing", DANCES)
    add_class(bundle, "cooking", ["boil an egg", "egg soup", "cook soup"])
    add_class(bundle, "dancing", DANCES[:3])
    assert added_examples(bundle) == {"dancing": list(DANCES[:3]), "cooking": ["boil an egg", "egg soup", "cook soup"]}
    assert tfarch.load(bundle).labels[3:] == ("dancing", "cooking")
    remove_class(bundle, "dancing")
    assert tfarch.load(bundle).labels[3:] == ("cooking",)
    assert tfarch.load(bundle).predict(["cook egg soup"])[0].label == "cooking"


@pytest.mark.parametrize(
    ("label", "texts", "message"),
    [
        ("card", DANCES, "'card' is one of the classes that the model was trained on"),
        ("dancing", ["dance", "dance "], "1 different examples of 'dancing'"),
        ("dancing", ["dance", " "], "none of which may be empty"),
        (" ", DANCES, "' ' is no name of a class"),
    ],
)
def test_an_intent_that_cannot_be_added_is_told_and_changes_nothing(bundle, label, texts, message):
    before = verify_bundle(bundle).description
    with pytest.raises(InputError, match=message):
        add_class(bundle, label, texts)
    with pytest.raises(InputError, match="no class 'nothing' was added"):
        remove_class(bundle, "nothing")
    assert verify_bundle(bundle).description == before


def test_an_edited_answer_is_given(bundle):
    assert call("edit-answer", "refund", "Refund {number} comes.", "Soon.", "--bundle", str(bundle)).code == 0
    assert Assistant.load(bundle).reply("the refund money back")[0].text == "Soon."
    assert Assistant.load(bundle).reply("the refund 9876 back")[0].text == "Refund 9876 comes."


def test_an_answer_for_an_intent_that_had_none(bundle):
    edit_answer(bundle, "login", ["Reset it."])
    assert Assistant.load(bundle).reply("my login password sign")[0].text == "Reset it."


def test_everything_can_be_removed(bundle):
    for name in ("joke", "weather", "card", "refund"):
        remove(bundle, name)
    found = verify_bundle(bundle)
    assert not {"answers.yaml", "faq.yaml", "knowledge.npz"} & set(found.description["files"])
    assert not (bundle / "faq.yaml").exists()
    assert Assistant.load(bundle).reply("my card pin")[0].source == "handover"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("edit-answer", "nothing", "x"), "the model knows no intent 'nothing'"),
        (("edit-answer", "refund", "to {nobody}"), r"{nobody} is neither a slot nor a constant"),
        (("edit-answer", "refund", "to {number}"), "the last variant answers where no slot is filled"),
        (("remove", "nothing"), "nothing in this bundle is named 'nothing'"),
        (("add-faq", "--name", "a", "--question", " ", "--answer", "b"), "question is ' ', not a text"),
    ],
)
def test_a_wrong_change_is_told_and_changes_nothing(bundle, arguments, message):
    before = verify_bundle(bundle).description
    answer = call(*arguments, "--bundle", str(bundle))
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert verify_bundle(bundle).description == before


def test_a_change_of_the_model_makes_the_vectors_anew(bundle):
    """As after a new export of other weights: the table says which file made its vectors."""
    classifier = Assistant.load(bundle).classifier
    found = verify_bundle(bundle).description
    right = load_knowledge(bundle, classifier).faq.vectors
    update_bundle(bundle, {"knowledge": {**found["knowledge"], "model_sha256": "other"}}, {"knowledge.npz": b"old"})
    assert load_knowledge(bundle, classifier).faq.vectors == pytest.approx(right, abs=1e-5)


def test_a_damaged_table_is_told(bundle):
    (bundle / "knowledge.npz").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"knowledge\.npz: is not the file that was exported"):
        load_knowledge(bundle, tfarch.load(bundle))


@pytest.mark.parametrize("damage", [{}, {"search": {"features": [1]}}, {"search": 3}])
def test_a_damaged_description_of_the_knowledge_is_told(bundle, damage):
    update_bundle(bundle, {"knowledge": damage})
    answer = call("answer", "--bundle", str(bundle), "hello")
    assert answer.code == 2
    assert "bundle.json: knowledge is damaged" in answer.err


def test_a_bundle_without_knowledge_hands_over(bundle):
    description = json.loads((bundle / "bundle.json").read_text())
    del description["knowledge"]
    (bundle / "bundle.json").write_text(json.dumps(description))
    assert Assistant.load(bundle).reply("my card pin")[0].text == HAND_OVER
    with pytest.raises(InputError, match="neither an entry"):
        remove(bundle, "joke2")


# The command line


def test_answer_prints_the_replies_with_their_origin(made):
    answer = call("answer", "--bundle", str(made[0]), "where is my card 1234 pin")
    assert answer.code == 0
    assert "> where is my card 1234 pin\n  Card 1234 is on its way.\n  (intent card, " in answer.out


def test_answer_prints_json_lines(made):
    answer = call("answer", "--bundle", str(made[0]), "--json", "sing a song", "my card pin. the refund money back?")
    first, second = map(json.loads, answer.out.splitlines())
    assert first["text"] == "sing a song"
    assert first["replies"][0].keys() == {"question", "text", "source", "name", "probability", "choices", "slots"}
    assert [reply["name"] for reply in second["replies"]] == ["card", "refund"]


def test_chat_keeps_the_conversation_until_the_input_ends(made):
    answer = call("chat", "--bundle", str(made[0]), stdin=b"my card 1234 pin\nthe card pin\n/new\nmy card pin\n")
    assert answer.code == 0
    spoken = [line.removeprefix("Tiny: ") for line in answer.out.splitlines() if line.startswith("Tiny: ")]
    assert spoken == ["Card 1234 is on its way.", "Card 1234 is on its way.", "Cards come by post."]


def test_the_words_of_the_tiny_questions_are_as_this_file_uses_them():
    assert {"card", "refund", "login"} == set(WORDS)
