"""What all folders share: errors, file access, text formatting, and the names that cells bind."""
