"""Schema ids from a Schema Registry (Confluent's API; Karapace speaks it too), subjects named by TopicRecordName.

Used when TINGJIAN_SCHEMA_REGISTRY is set; `connect` is called once at the start of a process. Asks the registry only
for schemas it has not seen, so a registry that goes down later stops nobody who writes known records.
"""

from __future__ import annotations

import json
from pathlib import Path

import stamina
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.runtime.pins import SCHEMAS, Pin, current, load_pins
from processors.runtime.settings import Settings
from processors.runtime.wire import Codec, use
from processors.topology import Topology

TIMEOUT_S = 10.0
ATTEMPTS = 5


def connect(settings: Settings, topology: Topology) -> None:
    """Use the registry's ids in this process, when a registry is configured."""
    if settings.schema_registry:
        use(registry_codec(SchemaRegistryClient({"url": settings.schema_registry, "timeout": TIMEOUT_S}), topology))


def subject(topic: str, schema: dict[str, object]) -> str:
    """TopicRecordName: one topic carries several record types in one order."""
    return f"{topic}-{schema['namespace']}.{schema['name']}"


def registry_codec(client: SchemaRegistryClient, topology: Topology, folder: Path = SCHEMAS) -> Codec:
    """Register the newest schema of every record of every topic and return a codec with the registry's ids.

    UserError when the registry refuses a schema as incompatible; Unavailable when it does not answer.
    """
    newest, pins = current(load_pins(folder)), {}
    for topic, declared in topology.topics.items():
        for record in declared.records:
            schema = newest[record].schema
            number = _register(client, subject(topic, schema), schema)
            pins[number] = Pin(number, record, schema)

    def fetch(schema_id: int) -> Pin:
        try:
            text = client.get_schema(schema_id).schema_str
        except SchemaRegistryError as error:
            if error.http_status_code == 404:
                raise BadRecord(f"the schema registry has no schema {schema_id}") from error
            raise Unavailable(f"schema registry: {error}") from error
        except OSError as error:
            raise Unavailable(f"schema registry: {error}") from error
        parsed = json.loads(text or "{}")
        return Pin(schema_id, str(parsed.get("name", "")), parsed)

    return Codec(pins, fetch)


@stamina.retry(on=Unavailable, attempts=ATTEMPTS, timeout=TIMEOUT_S * ATTEMPTS)
def _register(client: SchemaRegistryClient, name: str, schema: dict[str, object]) -> int:
    try:
        return int(client.register_schema(name, Schema(json.dumps(schema), "AVRO")))
    except SchemaRegistryError as error:
        if error.http_status_code in (409, 422):
            raise UserError(
                f"the schema registry refuses {name}: {error.error_message}; "
                "deploy the readers of the new version first, or make the change compatible"
            ) from error
        raise Unavailable(f"schema registry: {error}") from error
    except OSError as error:
        raise Unavailable(f"schema registry: {error}") from error
