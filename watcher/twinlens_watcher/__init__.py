"""The watcher: turns file events and sweeps into settled changes in the ledger."""
