"""What an instructor's class is: students, submissions, grades."""
