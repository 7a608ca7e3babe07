"""A program that runs a stack of pretended processors, as `tingjian up` does: `stack_program.py HOME`"""

from __future__ import annotations

import sys
from pathlib import Path

from processors.runtime.settings import load_settings
from processors.runtime.supervisor import up

PRETEND = Path(__file__).with_name("pretend.py")

if __name__ == "__main__":
    up(
        load_settings(home=Path(sys.argv[1])),
        lambda text: print(text, flush=True),
        command=lambda slot: [sys.executable, str(PRETEND), slot.name],
    )
