"""Commands around the workflow: set up a run, import and export, predict, report."""

import argparse
import os
import sys
from importlib import import_module

from wsss.errors import UserError
from wsss.machine.torch_settings import set_torch_defaults
from wsss.progress import print_styled

#: subcommand -> its module, imported only when it is called or help is asked for
COMMANDS: dict[str, str] = {
    "compare": "wsss.commands.compare",
    "corrections": "wsss.commands.corrections",
    "doctor": "wsss.commands.doctor",
    "export": "wsss.commands.export",
    "export-masks": "wsss.commands.export_masks",
    "import-maps": "wsss.commands.import_maps",
    "import-weights": "wsss.commands.import_weights",
    "init": "wsss.commands.init",
    "plan": "wsss.commands.plan",
    "predict": "wsss.commands.predict",
    "review": "wsss.commands.review",
    "status": "wsss.commands.status",
    "workdir": "wsss.commands.workdir",
}


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand and return its exit status. For a mistake of the user that is 1, after a message."""
    set_torch_defaults()
    words = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="wsss", description=__doc__, allow_abbrev=False)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # Only the one that is called is imported: torch takes seconds.
    for name in [name for name in COMMANDS if name in words[:1]] or COMMANDS:
        module = import_module(COMMANDS[name])
        subparser = subparsers.add_parser(
            name, help=module.HELP, description=module.__doc__, allow_abbrev=False
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    arguments = parser.parse_args(words)
    try:
        return int(arguments.run(arguments))
    except UserError as error:
        print_styled(f"error: {error}", "red", sys.stderr)
        return error.EXIT_STATUS
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `wsss status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
