"""The subcommands of `wsss`: a module each, with HELP, add_arguments(parser) and run(arguments)."""
