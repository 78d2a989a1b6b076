"""What commands share: options, exit codes, tables, progress, and sentences that several say."""
