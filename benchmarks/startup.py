"""How long a process takes to say something, over one that says nothing."""

from __future__ import annotations

import subprocess
import sys

from measuring import interleaved, report

COMMANDS = {
    "python -c pass": "pass",
    'python -c "import pathnet_evo"': "import pathnet_evo",
    "pathnet-evo --help": "import sys; sys.argv = ['pathnet-evo', '--help']; "
    "from pathnet_evo.cli import main; main()",
}


def process(code: str) -> subprocess.CompletedProcess[str]:
    """Run a line of Python in a process of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def main() -> None:
    """Measure the commands that work."""
    working = {}
    for name, code in COMMANDS.items():
        tried = process(code)
        if tried.returncode:
            why = (tried.stderr.strip().splitlines() or ["no message"])[-1]
            print(f"{name} does not work here, and is left out: {why}")
        else:
            working[name] = lambda code=code: process(code)
    medians = interleaved(working, rounds=9, warm_up=1)
    print("a process, from its start to its end")
    report(medians, "python -c pass", {})


if __name__ == "__main__":
    main()
