"""What every room uses: errors, files, texts, the names that cells bind."""
