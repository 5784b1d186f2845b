"""The subcommands of `vidgan`, one short function each; what they need is imported when they are called."""
