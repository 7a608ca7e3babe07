"""Structured logs: one JSON object a line on stderr, or coloured lines when a person watches.

Bind what identifies the work (`log.bind(call_id=...)`). Never log what was said in a call: logs are kept longer and
read by more people than transcripts.
"""

from __future__ import annotations

import logging
import sys
from typing import cast

import structlog

from processors.runtime.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Set level and format once for this process; libraries that use the standard logging come out the same way."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=render, foreign_pre_chain=shared))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


def get_logger(processor: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that names the processor on every line."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger(processor=processor))
