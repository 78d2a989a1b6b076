"""What every room uses: errors, files, texts."""
