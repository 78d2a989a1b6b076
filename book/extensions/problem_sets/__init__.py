"""What the pages say about the problem sets: which belong to a chapter, their points, and how they were proven."""
