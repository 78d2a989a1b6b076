"""What an instructor's class is: its students, what they handed in, and how it was graded."""
