"""What phone systems say on a socket: one pure module per dialect, text in, messages out."""
