"""Bytes of a record and back: Confluent wire format (0, schema id as 4 bytes big-endian, Avro body).

The writer's schema is found by its id, so old records stay readable after a change. Without a Schema Registry the ids
are the pinned ones; `processors.runtime.registry` swaps them for those of a registry.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from typing import Any

import fastavro
import fastavro.validation

from processors import records
from processors.records import AnyRecord
from processors.runtime.errors import BadRecord
from processors.runtime.events import headers
from processors.runtime.pins import Pin, current, load_pins

__all__ = ["Codec", "decode", "encode", "headers", "kind", "use"]

MAGIC = b"\x00"
PREFIX_BYTES = 5
TYPES: dict[str, type[Any]] = {kind.__name__: kind for kind in records.RECORD_TYPES}

Fetch = Callable[[int], Pin]
"""Looks up a version that is not known yet; raises BadRecord when there is none."""


def _unknown(schema_id: int) -> Pin:
    raise BadRecord(f"unknown schema id {schema_id}: the writer is newer than this program, or not of this system")


class Codec:
    """Encoder and decoder over a set of schema versions; use one per thread or none but the module's functions."""

    def __init__(self, pins: Mapping[int, Pin], fetch: Fetch = _unknown) -> None:
        self._fetch = fetch
        self._parsed = {p.id: _parse(p.schema) for p in pins.values()}
        self._names = {p.id: p.record for p in pins.values()}
        newest = current(pins)
        self._prefix = {name: MAGIC + struct.pack(">I", p.id) for name, p in newest.items()}
        self._newest = {name: p.id for name, p in newest.items()}

    def encode(self, record: AnyRecord) -> bytes:
        """Wire bytes of the record. BadRecord when a field does not fit its schema."""
        name = type(record).__name__
        out = io.BytesIO()
        out.write(self._prefix[name])
        try:
            fastavro.schemaless_writer(out, self._parsed[self._newest[name]], record.to_avro())
        except (ValueError, TypeError, OverflowError, KeyError, AttributeError) as error:
            raise BadRecord(f"{name} can not be encoded: {error}") from error
        return out.getvalue()

    def decode(self, value: bytes | None) -> AnyRecord:
        """The record of wire bytes, read by its writer's schema. BadRecord says what is wrong with them."""
        if value is None:
            raise BadRecord("no value")
        schema_id = self._known(value)
        writer, name = self._parsed[schema_id], self._names[schema_id]
        body = io.BytesIO(value)
        body.seek(PREFIX_BYTES)
        newest = self._newest[name]
        reader = None if newest == schema_id else self._parsed[newest]
        try:
            plain = fastavro.schemaless_reader(body, writer, reader)
        except (
            ValueError,
            TypeError,
            IndexError,
            KeyError,
            EOFError,
            OverflowError,
            MemoryError,
            fastavro.read.SchemaResolutionError,
            struct.error,
        ) as error:
            raise BadRecord(f"body of {name} (schema {schema_id}) is damaged: {type(error).__name__}") from error
        if body.tell() != len(value):
            raise BadRecord(f"{len(value) - body.tell()} bytes follow the body of {name} (schema {schema_id})")
        record: AnyRecord = TYPES[name].from_avro(plain)
        return record

    def kind(self, value: bytes | None) -> str:
        """Name of the record of wire bytes, without decoding it. BadRecord when they do not begin with a known id."""
        if value is None:
            raise BadRecord("no value")
        return self._names[self._known(value)]

    def _known(self, value: bytes) -> int:
        if len(value) < PREFIX_BYTES or value[:1] != MAGIC:
            raise BadRecord("not in Confluent wire format: it must begin with a zero byte and a 4-byte schema id")
        schema_id = int.from_bytes(value[1:PREFIX_BYTES], "big")
        if schema_id not in self._parsed:
            self._learn(schema_id)
        return schema_id

    def _learn(self, schema_id: int) -> None:
        pin = self._fetch(schema_id)
        if pin.record not in self._newest:
            raise BadRecord(f"schema id {schema_id} is of {pin.record}, which no topic carries")
        self._names[schema_id] = pin.record
        self._parsed[schema_id] = _parse(pin.schema)


def _parse(schema: dict[str, Any]) -> Any:
    # Each version has its own names: fastavro would otherwise mix the nested types of two versions.
    return fastavro.parse_schema(schema, named_schemas={})


_codec = Codec(load_pins())


def encode(record: AnyRecord) -> bytes:
    """Wire bytes of the record. BadRecord when a field does not fit its schema."""
    return _codec.encode(record)


def decode(value: bytes | None) -> AnyRecord:
    """The record of wire bytes. BadRecord says what is wrong with them."""
    return _codec.decode(value)


def kind(value: bytes | None) -> str:
    """Name of the record of wire bytes, without decoding it. BadRecord when they do not begin with a known id."""
    return _codec.kind(value)


def use(codec: Codec) -> None:
    """Make `encode` and `decode` of this process use another codec (that of a Schema Registry)."""
    global _codec
    _codec = codec
