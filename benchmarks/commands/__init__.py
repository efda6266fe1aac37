"""The subcommands of ``compleak`` that read finished results, one module each."""
