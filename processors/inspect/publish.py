"""Publishes rule sets on the compacted topic `rulebook`, from where every worker takes them without a restart.

A rule set with mistakes or with examples that fail is refused. The version is written first, under NAME@VERSION, then
as the current one, under NAME; publishing what is current already writes nothing. Old versions are deleted when no call
can need them any more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.language import parse
from processors.inspect.operators.base import Encoder
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.rule_sets import DEFAULT, current_key, version_key
from processors.inspect.trial import run_examples
from processors.records import RuleSet
from processors.runtime.compacted import read_compacted
from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.runtime.kafka import make_producer
from processors.runtime.sentences import sentence_encoder
from processors.runtime.settings import Settings
from processors.runtime.wire import decode, encode

TOPIC = "rulebook"
SHIPPED_BY = "tingjian"
"""Author of the rule book that comes with the package: only such a one is replaced when the package is."""
KEEP_MS = 7 * 86_400_000
"""A version that was published longer ago, and is not current, is needed by no call."""
DELIVERY_S = 30.0
MOST_NAMED = 5


def publish_ruleset(
    settings: Settings,
    files: Mapping[str, str | bytes],
    name: str = DEFAULT,
    author: str = "",
    comment: str = "",
    strict: bool = True,
) -> str:
    """Publish the files as the version that new calls of this rule set get; returns it.

    UserError when the rules have mistakes, or when `strict` and a rule has no example or one that fails; Unavailable
    when Kafka does not take it.
    """
    if not name or "@" in name:
        raise UserError(f"{name!r} can not be the name of a rule set; use letters, digits and -")
    parsed = parse(files)
    book = compile_book(parsed, name, encoder=encoder_of(settings))
    if strict:
        _refuse_unproven(book)
    known = _known(read_compacted(settings, TOPIC))
    texts = {file: text if isinstance(text, str) else text.decode() for file, text in files.items()}
    now_ms = time.time_ns() // 1_000_000
    ruleset = RuleSet(name=name, version=book.version, at_ms=now_ms, files=texts, author=author, comment=comment)
    current = known.get(current_key(name))
    if current is None or current.version != book.version:
        kept = version_key(name, book.version)
        _write(settings, ruleset, [key for key in known if key != kept and _obsolete(key, known, name, now_ms)])
    return book.version


def publish_shipped(settings: Settings) -> str:
    """Publish the shipped rule book as the default one, unless somebody has published another; returns the version."""
    current = _known(read_compacted(settings, TOPIC)).get(current_key(DEFAULT))
    if current is not None and current.author != SHIPPED_BY:
        return current.version
    return publish_ruleset(settings, read_rule_files(shipped_folder()), DEFAULT, SHIPPED_BY, "shipped", strict=False)


def encoder_of(settings: Settings) -> Encoder | None:
    """The sentence encoder of the settings, loaded when a rule first needs it; None when there is none."""
    name = settings.sentence_encoder
    return (lambda sentences: sentence_encoder(name)(sentences)) if name else None


def _refuse_unproven(book: RuleBook) -> None:
    without = [one.rule.rule_id for one in book.rules if not one.hidden and not one.rule.examples]
    without += [flow.flow_id for flow in book.flows if not flow.examples]
    if without:
        raise UserError(f"not published: {_named(without)} have no examples; add at least one with `hit: true` to each")
    outcomes = run_examples(book)
    failed = [outcome.rule_id for outcome in outcomes if not outcome.passed]
    if failed:
        raise UserError(
            f"not published: {len(failed)} of {len(outcomes)} examples fail, of the rules {_named(failed)}; "
            "see `tingjian rules test`"
        )


def _named(rule_ids: list[str]) -> str:
    names = sorted(set(rule_ids))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _known(content: Mapping[str, bytes]) -> dict[str, RuleSet]:
    known = {}
    for key, value in content.items():
        try:
            record = decode(value)
        except BadRecord:
            continue
        if isinstance(record, RuleSet):
            known[key] = record
    return known


def _obsolete(key: str, known: Mapping[str, RuleSet], name: str, now_ms: int) -> bool:
    of, _, version = key.partition("@")
    if not version:
        # Rule sets of one run of `inspect --rules` are named after their version and never published again.
        return of != name and of == f"dir-{known[key].version}" and now_ms - known[key].at_ms > KEEP_MS
    current = known.get(current_key(of))
    replaced = of == name or current is None or current.version != version
    return replaced and now_ms - known[key].at_ms > KEEP_MS


def _write(settings: Settings, ruleset: RuleSet, obsolete: list[str]) -> None:
    failures: list[str] = []
    producer = make_producer(settings, message_max_bytes=8_388_608)

    def delivered(error: object, message: object) -> None:
        if error is not None:
            failures.append(str(error))

    value = encode(ruleset)
    for key in (version_key(ruleset.name, ruleset.version), current_key(ruleset.name)):
        producer.produce(TOPIC, value, key.encode(), on_delivery=delivered)
    for key in obsolete:
        producer.produce(TOPIC, None, key.encode(), on_delivery=delivered)
    if producer.flush(DELIVERY_S) or failures:
        raise Unavailable(f"Kafka does not take the rule set: {failures[0] if failures else 'no answer'}")
