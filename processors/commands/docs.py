"""Parts of documents that are generated: the picture from topology.yaml, the table of settings from their source, the
table of other products' operators from `processors/inspect/peers.yaml`.

`python -m processors.commands.docs` rewrites what lies between the markers; `tests/test_docs.py` fails when it is old.
"""

from __future__ import annotations

import re
from pathlib import Path

import processors.runtime.settings
from processors.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh.md")
RULE_REFERENCE = "processors/inspect/rule-reference.md"
FIELD = re.compile(r"^    (?P<name>[a-z0-9_]+): (?P<kind>[^=#]+) = (?P<default>.+?)(?:  # (?P<comment>.+))?$")
HEADING = re.compile(r"^    # (?P<text>[A-Z].+)$")


def settings_table(source: str) -> str:
    """A Markdown table of all settings, from the text of `processors/runtime/settings.py`."""
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for line in source.partition("class Settings(")[2].partition("@property")[0].splitlines():
        if heading := HEADING.match(line):
            lines.append(f"| **{heading['text']}** | | |")
        elif field := FIELD.match(line):
            if "validation_alias" in field["default"]:
                continue
            default = _default(field["default"])
            choices = ", ".join(re.findall(r'"([^"]+)"', field["kind"]))
            comment = "; ".join(filter(None, (choices, field["comment"]))).replace("|", "\\|")
            lines.append(f"| `TINGJIAN_{field['name'].upper()}` | {default} | {comment} |")
    return "\n".join(lines)


def picture() -> str:
    """The Mermaid picture of the topology as a Markdown block."""
    from processors.topology import the_topology
    from processors.topology_draw import mermaid

    return f"```mermaid\n{mermaid(the_topology()).strip()}\n```"


def parts() -> dict[str, str]:
    """All generated parts by the name of their markers."""
    from processors.inspect.peers import peer_table

    source = Path(processors.runtime.settings.__file__).read_text(encoding="utf-8")
    return {"topology": picture(), "settings": settings_table(source), "peers": peer_table()}


def renewed(text: str, made: dict[str, str]) -> str:
    """The document with its generated parts in their present form. UserError when a marker is not closed."""
    for name, part in made.items():
        begin, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
        if begin not in text:
            continue
        head, _, rest = text.partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise UserError(f"the marker {begin} is not closed; add {end} behind the part")
        text = f"{head}{begin}\n{part}\n{end}{tail}"
    return text


def _default(source: str) -> str:
    """The default as a reader writes it into the environment."""
    if found := re.match(r'(?:Field\(default=|Path\()?"([^"]*)"', source):
        return f"`{found[1]}`" if found[1] else ""
    if found := re.match(r"Field\(default=([^,)]+)", source):
        return f"`{found[1].replace('_', '')}`"
    return "" if source == "None" else f"`{source.lower() if source in ('True', 'False') else source.replace('_', '')}`"


def main() -> None:
    """Rewrite the documents."""
    made = parts()
    for name in (*READMES, RULE_REFERENCE):
        path = ROOT / name
        path.write_text(renewed(path.read_text(encoding="utf-8"), made), encoding="utf-8")


if __name__ == "__main__":
    main()
