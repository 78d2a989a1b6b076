"""What an instructor looks at beside the grades: where each student stands, what was given back, which answers are alike."""
