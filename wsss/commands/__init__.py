"""The subcommands of `wsss`: one module each, with HELP, add_arguments(parser) and run(arguments)."""
