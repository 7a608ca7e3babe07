"""Tokens of the network to what an utterance says: characters with times, and the text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from processors.records import Token
from processors.speech.recogniser import Grid, Piece
from processors.speech.wording import options

LONGEST_TOKEN_MS = 400
"""The network marks where a character is recognised, not how long it lasts: it lasts until the next one, at most so."""
WORD = "▁"


def reworded(pieces: Sequence[Piece], grid: Grid) -> Sequence[Piece]:
    """The same pieces with another character where `wording` finds it likelier; what was heard is then the first of
    its alternatives. How sure the network was of its own stays."""
    if grid.wording is None or not any(piece.others for piece in pieces):
        return pieces
    signs = [grid.vocabulary[piece.token].lstrip(WORD) or WORD for piece in pieces]
    others = [
        [token for token in piece.others if len(sign) == 1 == len(grid.vocabulary[token].lstrip(WORD))]
        for piece, sign in zip(pieces, signs, strict=True)
    ]
    places = [
        options(sign[-1], piece.confidence, [grid.vocabulary[token].lstrip(WORD) for token in tokens])
        for piece, sign, tokens in zip(pieces, signs, others, strict=True)
    ]
    return [
        piece._replace(token=tokens[way - 1], others=(piece.token, *tokens[: way - 1], *tokens[way:])) if way else piece
        for piece, tokens, way in zip(pieces, others, grid.wording.choose(places), strict=True)
    ]


def tokens_of(pieces: Sequence[Piece], grid: Grid, zero_ms: int, start_ms: int, end_ms: int) -> tuple[Token, ...]:
    """Tokens in call time, within the utterance. `zero_ms` is the call time of the stream's first sample."""
    texts = spaced(grid.vocabulary[piece.token] for piece in pieces)
    times = [min(max(zero_ms + piece.frame * grid.frame_ms, start_ms), end_ms) for piece in pieces]
    tokens = []
    for index, (piece, text) in enumerate(zip(pieces, texts, strict=True)):
        if not text:
            continue
        ends = zero_ms + (piece.last_frame + 1) * grid.frame_ms
        until = times[index + 1] if index + 1 < len(times) else max(ends, times[index])
        tokens.append(
            Token(
                text=text,
                start_ms=times[index],
                end_ms=max(times[index], min(until, times[index] + LONGEST_TOKEN_MS, end_ms)),
                confidence=piece.confidence,
                alternatives=_alternatives(piece, text, grid),
            )
        )
    return tuple(tokens)


def alternatives_of(pieces: Sequence[Piece], grid: Grid) -> tuple[str, ...]:
    """For each character of `text_of` what it may be instead; () when nothing is in doubt, or not by characters."""
    texts = spaced(grid.vocabulary[piece.token] for piece in pieces)
    if any(len(text) > 1 for text in texts):
        return ()
    others = [_alternatives(piece, text, grid) for piece, text in zip(pieces, texts, strict=True) if text]
    return tuple(others) if any(others) else ()


def _alternatives(piece: Piece, text: str, grid: Grid) -> str:
    if len(text) != 1:
        return ""
    signs = (grid.vocabulary[token].lstrip(WORD) for token in piece.others)
    return "".join(sign for sign in signs if len(sign) == 1)


def text_of(pieces: Iterable[Piece], grid: Grid) -> str:
    """Text as spoken."""
    return "".join(spaced(grid.vocabulary[piece.token] for piece in pieces))


def spaced(labels: Iterable[str]) -> list[str]:
    """Texts of tokens: a word's mark becomes a space, except at the start and around Chinese characters."""
    texts: list[str] = []
    before = ""
    for label in labels:
        text = label.lstrip(WORD).replace(WORD, " ")
        if text in ("<unk>", "<pad>", "<s>", "</s>"):
            text = ""
        if label.startswith(WORD) and text and before and not (_is_chinese(before) or _is_chinese(text[0])):
            text = " " + text
        texts.append(text)
        before = text[-1] if text else before
    return texts


def _is_chinese(sign: str) -> bool:
    return "\u2e80" <= sign <= "\u9fff" or "\uf900" <= sign <= "\ufaff" or "\U00020000" <= sign <= "\U0003ffff"


def characters(tokens: Sequence[Token]) -> int:
    """How many characters were spoken; a word of letters counts as its letters."""
    return sum(len(token.text.strip()) for token in tokens)
